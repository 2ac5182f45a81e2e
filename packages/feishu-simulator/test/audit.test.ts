import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { auditMint, type MintReply, mostLiveTokens } from '../src/audit.ts'
import type { LedgerToken } from '../src/ledger.ts'
import { APP, HOUR, MINUTE, send, WHOAMI } from './support/client.ts'
import { virtualClock } from './support/virtual-clock.ts'

const lifeMs = 2 * HOUR
const token = (value: string, mintedAtMs: number, extra: Partial<LedgerToken> = {}): LedgerToken => ({
  value,
  mintedAtMs,
  expiresAtMs: mintedAtMs + lifeMs,
  ...extra,
})
const reply = (history: LedgerToken[], nowMs: number, extra: Partial<MintReply> = {}): MintReply => ({
  token: history.at(-1)?.value,
  expire: Math.floor(((history.at(-1)?.expiresAtMs ?? 0) - nowMs) / 1000),
  isNew: history.at(-1)?.mintedAtMs === nowMs,
  tokenLifeMs: lifeMs,
  nowMs,
  history,
  ...extra,
})

describe('the audit of a mint', () => {
  it.each([
    ['a first token', reply([token('a', 0)], 0)],
    ['the same token with 30 minutes left', reply([token('a', 0)], 90 * MINUTE)],
    ['a new token below 30 minutes', reply([token('a', 0), token('b', 90 * MINUTE + 1)], 90 * MINUTE + 1)],
    ['a new token after a revocation', reply([token('a', 0, { revocation: { atMs: 1, next: 'new' } }), token('b', 2)], 2)],
    ['the same token after a revocation that says so', reply([token('a', 0, { revocation: { atMs: 1, next: 'same' } })], 2)],
  ])('passes %s', (_, mint) => {
    expect(() => auditMint(mint)).not.toThrow()
  })

  it.each([
    ['an expire rounded up', reply([token('a', 0)], 1, { expire: 7200 }), /expire says 7200 s, the ledger 7199 s/],
    [
      'a token that is not the newest',
      reply([token('a', 0), token('b', 90 * MINUTE + 1)], 90 * MINUTE + 1, { token: 'a' }),
      /not the newest/,
    ],
    ['a token that is not in the ledger', reply([], 0, { token: 'a' }), /not the newest/],
    ['a new token too early', reply([token('a', 0), token('b', 90 * MINUTE)], 90 * MINUTE), /another has 30 minutes left/],
    ['an old token below 30 minutes', reply([token('a', 0)], 90 * MINUTE + 1), /less than 30 minutes/],
    ['a revoked token', reply([token('a', 0, { revocation: { atMs: 1, next: 'new' } })], 2), /revoked/],
    ['a value minted twice', reply([token('a', 0), token('a', lifeMs)], lifeMs), /minted twice/],
    ['a wrong life', reply([token('a', 0, { expiresAtMs: HOUR })], 0), /lives 3600000 ms, not 7200000/],
    ['a new token of another time', reply([token('a', 0)], 1, { isNew: true }), /not minted now/],
    ['a token of the future', reply([token('a', 5)], 0, { isNew: true }), /in the future/],
  ])('throws for %s', (_, mint, message) => {
    expect(() => auditMint(mint)).toThrow(message)
  })

  it('knows how many tokens can live at once', () => {
    expect([2 * HOUR, HOUR, 45 * MINUTE, 30 * MINUTE].map(mostLiveTokens)).toEqual([2, 2, 3, Number.POSITIVE_INFINITY])
  })
})

describe('a failure of the simulator itself', () => {
  it('answers 500 and makes close reject, here for a clock set back', async () => {
    const clock = virtualClock()
    const sim = await startFeishuSimulator({ apps: [APP], clock })
    const whoami = () => send(`${sim.url}${WHOAMI}`, {})
    await whoami()
    clock.set(clock.wall() - HOUR)
    const reply = await whoami()
    clock.set(clock.wall() + HOUR)
    expect(reply.status).toBe(500)
    expect(reply.text).toMatch(/clock went back by 3600000 ms/)
    expect(sim.violations).toHaveLength(1)
    await expect(sim.close()).rejects.toThrow(/clock went back/)
  })
})
