import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { auditGrant, auditMint, type MintReply, mostLiveTokens } from '../src/audit.ts'
import type { LedgerToken } from '../src/ledger.ts'
import type { RefreshToken } from '../src/login.ts'
import type { Grant } from '../src/user-ledger.ts'
import { APP, HOUR, MINUTE, send, WHOAMI } from './support/client.ts'
import { virtualClock } from './support/virtual-clock.ts'

const lifeMs = 2 * HOUR
const token = (value: string, mintedAtMs: number, extra: Partial<LedgerToken> = {}): LedgerToken => ({
  kind: 'app',
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

describe('the audit of a grant', () => {
  const lives = { accessTokenLifeMs: 2 * HOUR, refreshTokenLifeMs: 48 * HOUR }
  const refreshToken = (value: string, issuedAtMs: number, usedAtMs?: number): RefreshToken => ({
    value,
    userId: 'user-1',
    issuedAtMs,
    expiresAtMs: issuedAtMs + lives.refreshTokenLifeMs,
    ...(usedAtMs !== undefined && { usedAtMs }),
    presentations: [],
  })
  const grant = (history: RefreshToken[], atMs: number, extra: Partial<Grant> = {}): Grant => {
    const [newest, used] = [history.at(-1), history.at(-2)]
    return {
      accessToken: { value: 'u', issuedAtMs: atMs, expiresAtMs: atMs + 2 * HOUR },
      ...(newest && { refreshToken: newest }),
      ...(used && { used }),
      scope: 'offline_access',
      atMs,
      history,
      ...extra,
    }
  }

  it.each([
    ['a login', grant([refreshToken('a', 5)], 5)],
    ['a login without a refresh token', grant([], 5)],
    ['a refresh', grant([refreshToken('a', 0, HOUR), refreshToken('b', HOUR)], HOUR)],
  ])('passes %s', (_, outcome) => {
    expect(() => auditGrant(outcome, lives)).not.toThrow()
  })

  it.each([
    ['a wrong life of the access token', grant([], 5, { accessToken: { value: 'u', issuedAtMs: 5, expiresAtMs: 6 } }), /access token/],
    ['a wrong life of the refresh token', grant([{ ...refreshToken('a', 5), expiresAtMs: 6 }], 5), /refresh token has a wrong life/],
    ['a refresh token of another time', grant([refreshToken('a', 4)], 5), /refresh token has a wrong life/],
    ['a refresh without a refresh token', grant([], 5, { used: refreshToken('a', 0, 5) }), /gave no refresh token/],
    ['a refresh token that is not the newest', grant([refreshToken('a', 5)], 5, { refreshToken: refreshToken('b', 5) }), /not the newest/],
    ['a new refresh token that is used up', grant([refreshToken('a', 5, 5)], 5), /given out that is used up/],
    ['a value given out twice', grant([refreshToken('a', 0, 5), refreshToken('a', 5)], 5), /given out twice/],
    ['an earlier refresh token that is still good', grant([refreshToken('a', 0), refreshToken('b', 5)], 5), /good at once/],
    [
      'the use of an older refresh token',
      grant([refreshToken('a', 0, 1), refreshToken('b', 1, 5), refreshToken('c', 5)], 5, { used: refreshToken('a', 0, 1) }),
      /not the newest of its login/,
    ],
    ['the use of an expired one', grant([refreshToken('a', 0, 48 * HOUR), refreshToken('b', 48 * HOUR)], 48 * HOUR), /after its end/],
  ])('throws for %s', (_, outcome, message) => {
    expect(() => auditGrant(outcome, lives)).toThrow(message)
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
