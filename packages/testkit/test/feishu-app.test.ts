import { memoryStore } from '@tokenwell/store-memory'
import { type SimulationReport, simulate } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import { describe, expect, test } from 'vitest'
import { LoginLedger, type Spender } from '../src/feishu/login-ledger.ts'
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
  // One that is asked for at the beginning, and one an hour, to the end of what is served last.
  expect(counts.get('event ticket-accepted')).toBeGreaterThanOrEqual(1 + 7)
  expect(counts.get('event ticket-accepted')).toBeLessThanOrEqual(1 + 8)
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
  const later: { readonly moment: number; readonly run: () => void }[] = []
  let isUp = true
  let pausedAt = Number.NEGATIVE_INFINITY
  const spender: Spender = { name: 'n0', isUp: () => isUp, pausedAt: () => pausedAt }
  const surroundings: Surroundings = {
    now: () => now,
    epochMs: 0,
    at: (moment, run) => void later.push({ moment, run }),
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
    later.length = 0
    isUp = true
    pausedAt = Number.NEGATIVE_INFINITY
    const ledger = new LoginLedger(surroundings)
    return { ledger, refresh: String(ledger.exchange(ledger.code('user')).refresh_token) }
  }

  test('a refresh token that is used again at once, unless it was refused', () => {
    const { ledger, refresh } = login()
    ledger.sent(refresh, spender)
    now += 2_000
    ledger.refused(refresh)
    ledger.sent(refresh, spender)
    expect(violations).toEqual([])
    now += 2_999
    ledger.sent(refresh, spender)
    expect(violations).toEqual(['a refresh token was used again after 2999 ms'])
  })

  test('a refresh token that is used although its successor is in the store, unless the store has lost it', () => {
    const { ledger, refresh } = login()
    ledger.sent(refresh, spender)
    const { refresh_token } = ledger.refresh(refresh)
    for (const watcher of watchers) watcher.published?.('key', { value: `{"refresh":"${refresh_token}"}`, renewInMs: 1, expiresInMs: 1 }, 0)
    now += 60_000
    ledger.sent(refresh, spender)
    expect(violations).toEqual(['a refresh token was used again although its successor is in the store'])
    for (const watcher of watchers) watcher.lost?.()
    ledger.sent(refresh, spender)
    expect(violations).toHaveLength(1)
  })

  const pass = (ms: number) => {
    now += ms
    for (const { run } of later.splice(0)) run()
  }
  const stored = (token: unknown) => ['key', { value: `{"refresh":"${token}"}`, renewInMs: 1, expiresInMs: 1 }] as const

  test('a process that is given a login and does not send it to the store, unless it has stood still', () => {
    const { ledger, refresh } = login()
    const refreshed = (token: string) => {
      const spending = ledger.sent(token, spender)
      now += 100
      const { refresh_token } = ledger.refresh(token, undefined, spending)
      ledger.answered(token, spending)
      return String(refresh_token)
    }
    const second = refreshed(refresh)
    for (const watcher of watchers) watcher.sent?.(...stored(second))
    pass(1_000)
    const third = refreshed(second)
    pausedAt = now
    pass(1_000)
    expect(violations).toEqual([])
    refreshed(third)
    pass(1_000)
    expect(violations).toEqual(['n0 was given a login and did not share it'])
  })

  const dies = () => {
    isUp = false
  }
  const stops = () => {
    pausedAt = now
  }
  const forgets = () => {
    for (const watcher of watchers) watcher.lost?.()
  }
  const cases: Readonly<
    Record<string, [isLost: boolean, given: { answered?: false; shared?: true; published?: true; before?: () => void }]>
  > = {
    'although it had been shared': [true, { shared: true, published: true }],
    'which its holder kept to itself': [true, {}],
    'with a reply that was lost': [false, { answered: false }],
    'with a publication that was lost': [false, { shared: true }],
    'with its holder': [false, { before: dies }],
    'with a holder that stood still': [false, { before: stops }],
    'with the data of the store': [false, { before: forgets }],
  }
  test.each(Object.entries(cases))('a login that is lost %s: %j', (_, [isLost, { answered, shared, published, before }]) => {
    const { ledger, refresh } = login()
    const spending = ledger.sent(refresh, spender)
    now += 100
    const { refresh_token } = ledger.refresh(refresh, undefined, spending)
    if (answered !== false) ledger.answered(refresh, spending)
    for (const watcher of watchers) {
      if (shared === true) watcher.sent?.(...stored(refresh_token))
      if (published === true) watcher.published?.(...stored(refresh_token), 0)
    }
    before?.()
    now += 60_000
    const again = ledger.sent(refresh, { name: 'n1', isUp: () => true, pausedAt: () => Number.NEGATIVE_INFINITY })
    ledger.refresh(refresh, undefined, again)
    expect(violations.filter((what) => what === 'a login is lost, and nothing went wrong')).toHaveLength(isLost ? 1 : 0)
  })

  test('no login that is lost to a message that was delivered twice, or late', () => {
    const { ledger, refresh } = login()
    const late = ledger.sent(refresh, spender)
    now += 10_000
    const spending = ledger.sent(refresh, spender)
    ledger.refresh(refresh, undefined, spending)
    ledger.answered(refresh, spending)
    ledger.refresh(refresh, undefined, spending)
    ledger.refresh(refresh, undefined, late)
    expect(violations).toEqual([])
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
