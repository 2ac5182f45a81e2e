import { memoryStore } from '@tokenwell/store-memory'
import { type SimulationReport, simulate } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import { describe, expect, test } from 'vitest'
import { LoginLedger } from '../src/feishu/login-ledger.ts'
import { drawsOf } from '../src/simulation/random.ts'
import type { StoreWatcher, Surroundings } from '../src/simulation/scenario.ts'

function play(seed: number, troubles: number, hours = 6): Promise<SimulationReport> {
  return simulate({ seed, troubles, hours, scenario: feishuApp(), store: (clock) => memoryStore({ clock }) })
}

test('with nothing wrong each credential is asked for once in each life, by any of the processes, and tickets are taken in hourly', async () => {
  const { violations, counts } = await play(1, 0)
  expect(violations).toEqual([])
  // Six hours of two-hour tokens, the app's and two tenants', and of a user's, who is renewed every twenty minutes or so.
  expect(counts.get('requests')).toBeGreaterThanOrEqual(3 * 3 + 12)
  expect(counts.get('requests')).toBeLessThanOrEqual(3 * 4 + 24)
  // One that is asked for at the beginning, and one an hour.
  expect(counts.get('event ticket-accepted')).toBe(1 + 7)
  expect(counts.get('served revoked')).toBeUndefined()
})

test('one seed is one history', async () => {
  const [one, again] = [await play(3, 30), await play(3, 30)]
  expect(one.history.length).toBeGreaterThan(100)
  expect(again.history).toEqual(one.history)
})

test('whatever goes wrong with tickets, tenants, users and the platform, nothing is that must not be', async () => {
  const wrong: string[] = []
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= 20; seed += 1) {
    const report = await play(seed, 40)
    for (const violation of report.violations) wrong.push(`seed ${seed}: ${violation}`)
    for (const [what, count] of report.counts) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  expect(wrong).toEqual([])
  // In every one of these worlds there is something to go wrong.
  expect(feishuApp().faults.filter((fault) => counts.has(`fault upstream ${fault}`)).length).toBeGreaterThan(10)
}, 300_000)

describe('the ledger of logins finds out', () => {
  let now = 0
  const violations: string[] = []
  const watchers: StoreWatcher[] = []
  const surroundings: Surroundings = {
    now: () => now,
    epochMs: 0,
    at: () => {},
    draws: (name) => drawsOf(1, name),
    request: (_, send) => send(),
    struck: () => {},
    note: () => {},
    violate: (what) => violations.push(what),
    watchStore: (watcher) => watchers.push(watcher),
  }
  function login(): { ledger: LoginLedger; refresh: string } {
    now = 0
    violations.length = 0
    watchers.length = 0
    const ledger = new LoginLedger(surroundings)
    return { ledger, refresh: String(ledger.exchange(ledger.code('user')).refresh_token) }
  }

  test('a refresh token that is used again at once, unless it was refused', () => {
    const { ledger, refresh } = login()
    ledger.sent(refresh)
    now += 2_000
    ledger.refused(refresh)
    ledger.sent(refresh)
    expect(violations).toEqual([])
    now += 2_999
    ledger.sent(refresh)
    expect(violations).toEqual(['a refresh token was used again after 2999 ms'])
  })

  test('a refresh token that is used although its successor is in the store, unless the store has lost it', () => {
    const { ledger, refresh } = login()
    ledger.sent(refresh)
    const { refresh_token } = ledger.refresh(refresh)
    for (const watcher of watchers) watcher.published?.('key', { value: `{"refresh":"${refresh_token}"}`, renewInMs: 1, expiresInMs: 1 }, 0)
    now += 60_000
    ledger.sent(refresh)
    expect(violations).toEqual(['a refresh token was used again although its successor is in the store'])
    for (const watcher of watchers) watcher.lost?.()
    ledger.sent(refresh)
    expect(violations).toHaveLength(1)
  })

  test('the family of a refresh token that is used twice ends with it', () => {
    const { ledger, refresh } = login()
    const { access_token, refresh_token } = ledger.refresh(refresh)
    expect(ledger.worth(String(access_token))).toBe('valid')
    expect(ledger.refresh(refresh)).toMatchObject({ code: 20_073 })
    expect(ledger.refresh(String(refresh_token))).toMatchObject({ code: 20_064 })
    expect(ledger.worth(String(access_token))).toBe('revoked')
    expect(ledger.exchange('code 1')).toMatchObject({ code: 20_003 })
  })
})
