import { describe, expect, test } from 'vitest'
import { LoginAudit, type Spender, type Spending } from '../src/feishu/login-audit.ts'
import { LoginLedger } from '../src/feishu/login-ledger.ts'
import { drawsOf } from '../src/simulation/random.ts'
import type { StoreWatcher, Surroundings } from '../src/simulation/scenario.ts'

describe('the audit of logins finds out', () => {
  let now = 0
  const violations: string[] = []
  const watchers: StoreWatcher[] = []
  const later: { readonly moment: number; readonly run: () => void }[] = []
  let isUp = true
  let pausedAt = Number.NEGATIVE_INFINITY
  let sleptAt = Number.NEGATIVE_INFINITY
  const spender: Spender = { name: 'n0', isUp: () => isUp, pausedAt: () => pausedAt, sleptAt: () => sleptAt, served: new Map() }
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
  function login() {
    now = 0
    violations.length = 0
    watchers.length = 0
    later.length = 0
    isUp = true
    pausedAt = Number.NEGATIVE_INFINITY
    sleptAt = Number.NEGATIVE_INFINITY
    const ledger = new LoginLedger(surroundings.now)
    const audit = new LoginAudit(surroundings, ledger)
    /** A request comes to the platform. */
    const arrives = (refresh: string, spending: Spending) => {
      const granted = ledger.refresh(refresh)
      audit.arrived(refresh, spending, granted)
      return granted
    }
    return { ledger, audit, arrives, refresh: String(ledger.exchange(ledger.code('user')).refresh_token) }
  }

  test('a refresh token that is used again at once, unless it was refused', () => {
    const { audit, refresh } = login()
    audit.sent(refresh, spender)
    now += 2_000
    audit.refused(refresh)
    audit.sent(refresh, spender)
    expect(violations).toEqual([])
    now += 2_999
    audit.sent(refresh, spender)
    expect(violations).toEqual(['a refresh token was used again after 2999 ms'])
    // Whoever slept since its grant takes the lease for longer than it is.
    sleptAt = now
    audit.sent(refresh, spender)
    sleptAt = Number.NEGATIVE_INFINITY
    now += 1_000
    audit.sent(refresh, spender)
    expect(violations).toHaveLength(1)
    now += 60_000
    audit.sent(refresh, spender)
    // Under a clock that is set a lease ends before its holder knows.
    for (const watcher of watchers) watcher.clockSet?.()
    audit.sent(refresh, spender)
    expect(violations).toHaveLength(1)
  })

  test('a refresh token that is used although its successor is in the store, unless the store has lost it', () => {
    const { ledger, audit, refresh } = login()
    audit.sent(refresh, spender)
    const { refresh_token } = ledger.refresh(refresh)
    for (const watcher of watchers) watcher.published?.('key', { value: `{"refresh":"${refresh_token}"}`, renewInMs: 1, expiresInMs: 1 }, 0)
    now += 60_000
    audit.sent(refresh, spender)
    expect(violations).toEqual(['a refresh token was used again although its successor is in the store'])
    for (const watcher of watchers) watcher.lost?.()
    audit.sent(refresh, spender)
    expect(violations).toHaveLength(1)
  })

  const pass = (ms: number) => {
    now += ms
    for (const { run } of later.splice(0)) run()
  }
  const stored = (token: unknown) => ['key', { value: `{"refresh":"${token}"}`, renewInMs: 1, expiresInMs: 1 }] as const

  test('a process that is given a login and does not send it to the store, unless it has stood still', () => {
    const { audit, arrives, refresh } = login()
    const refreshed = (token: string) => {
      const spending = audit.sent(token, spender)
      now += 100
      const { refresh_token } = arrives(token, spending)
      audit.answered(token, spending)
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
    const { audit, arrives, refresh } = login()
    const spending = audit.sent(refresh, spender)
    now += 100
    const { refresh_token } = arrives(refresh, spending)
    if (answered !== false) audit.answered(refresh, spending)
    for (const watcher of watchers) {
      if (shared === true) watcher.sent?.(...stored(refresh_token))
      if (published === true) watcher.published?.(...stored(refresh_token), 0)
    }
    before?.()
    now += 60_000
    const again = audit.sent(refresh, {
      name: 'n1',
      isUp: () => true,
      pausedAt: () => Number.NEGATIVE_INFINITY,
      sleptAt: () => Number.NEGATIVE_INFINITY,
      served: new Map(),
    })
    arrives(refresh, again)
    expect(violations.filter((what) => what === 'a login is lost, and nothing went wrong')).toHaveLength(isLost ? 1 : 0)
  })

  test('no login that is lost to a message that was delivered twice, or late', () => {
    const { audit, arrives, refresh } = login()
    const late = audit.sent(refresh, spender)
    now += 10_000
    const spending = audit.sent(refresh, spender)
    arrives(refresh, spending)
    audit.answered(refresh, spending)
    arrives(refresh, spending)
    arrives(refresh, late)
    expect(violations).toEqual([])
  })

  const loses = forgets
  const takes = (token: unknown) => {
    for (const watcher of watchers) {
      watcher.sent?.(...stored(token))
      watcher.published?.(...stored(token), 0)
    }
  }
  const empties = () => {
    for (const watcher of watchers) watcher.published?.('key', { value: '{"access":""}', renewInMs: 0, expiresInMs: 0 }, 0)
  }

  const NEVER_TAKEN = 'an authorisation is said to be done, and the store never took it'
  const authorizations: Readonly<Record<string, [string[], (ledger: LoginLedger, token: unknown) => void]>> = {
    'and was': [[], (_, token) => takes(token)],
    'and was not': [[NEVER_TAKEN], () => {}],
    'and went from one login to its successor at once': [[], (ledger, token) => takes(ledger.refresh(String(token)).refresh_token)],
    'and a later authorisation has taken its place': [[], (ledger) => takes(ledger.exchange(ledger.code('user')).refresh_token)],
    'and the store has lost it': [[], () => loses()],
  }
  test.each(Object.entries(authorizations))('an authorisation that is said to be done, %s', (_, [expected, before]) => {
    const { ledger, audit } = login()
    const code = ledger.code('user')
    const calledAt = now
    now += 100
    const { refresh_token } = ledger.exchange(code)
    before(ledger, refresh_token)
    now += 100
    audit.authorized(code, calledAt)
    expect(violations).toEqual(expected)
  })

  test('an authorisation that is said to be done, whose code nobody has exchanged', () => {
    const { ledger, audit, refresh } = login()
    takes(refresh)
    audit.authorized(ledger.code('user'), now)
    expect(violations).toEqual(['an authorisation is said to be done whose code nobody has exchanged'])
  })

  test('a user who is said to be forgotten, and whose login is still in the store, unless the store has lost that', () => {
    const { audit, refresh } = login()
    audit.forgetting('user')()
    takes(refresh)
    now += 100
    expect(violations).toEqual([])
    const lost = audit.forgetting('user')
    loses()
    lost()
    expect(violations).toEqual([])
    now += 100
    audit.forgetting('user')()
    expect(violations).toEqual(['user is said to be forgotten, and the store never took it'])
    now += 100
    const again = audit.forgetting('user')
    empties()
    again()
    expect(violations).toHaveLength(1)
  })

  /** A user who was logged in, and has been forgotten. */
  function forgotten() {
    const { ledger, audit, refresh } = login()
    takes(refresh)
    const { access_token, refresh_token } = ledger.refresh(refresh)
    takes(refresh_token)
    now += 60_000
    const isDone = audit.forgetting('user')
    empties()
    const isOfIt = isDone()
    now += 60_000
    expect(violations).toEqual([])
    return { ledger, audit, token: String(refresh_token), isOfIt: () => isOfIt(String(access_token)) }
  }

  test('a login that was forgotten and is refreshed all the same, unless its process stood still or went by a lease of another clock', () => {
    const { audit, token } = forgotten()
    pausedAt = now - 60_000
    audit.sent(token, spender)
    pausedAt = Number.NEGATIVE_INFINITY
    now += 10_000
    expect(violations).toEqual([])
    audit.sent(token, spender)
    expect(violations).toEqual(['a login was refreshed after it had been forgotten'])
    for (const watcher of watchers) watcher.clockSet?.()
    now += 10_000
    audit.sent(token, spender)
    expect(violations).toHaveLength(1)
  })

  test('a login that was forgotten and is in the store again, unless the store has lost that', () => {
    const { ledger, token, isOfIt } = forgotten()
    expect(isOfIt()).toBe(true)
    takes(token)
    expect(violations).toEqual(['the store has taken a login of user that was forgotten'])
    takes(ledger.exchange(ledger.code('user')).refresh_token)
    expect(violations).toHaveLength(1)
    loses()
    expect(isOfIt()).toBe(false)
    takes(token)
    expect(violations).toHaveLength(1)
  })

  test('nothing less because another record is lost', () => {
    const { token } = forgotten()
    for (const watcher of watchers) watcher.lost?.('another key')
    takes(token)
    expect(violations).toEqual(['the store has taken a login of user that was forgotten'])
    for (const watcher of watchers) watcher.lost?.('key')
    takes(token)
    expect(violations).toHaveLength(1)
  })

  test('a process that goes back to a refresh token whose successor it has, whatever the store has lost', () => {
    const { ledger, audit, refresh } = login()
    const process: Spender = { ...spender, served: new Map() }
    const { refresh_token, access_token } = ledger.refresh(refresh)
    loses()
    now += 60_000
    audit.given(String(access_token), process)
    audit.sent(String(refresh_token), process)
    now += 60_000
    // Another has not seen it.
    audit.sent(refresh, { ...spender, name: 'n1', served: new Map() })
    now += 60_000
    expect(violations).toEqual([])
    audit.sent(refresh, process)
    expect(violations).toEqual(['n0 used a refresh token again although it has its successor'])
  })

  test('an authorisation that is replaced by what an earlier one has led to, unless the store had lost the latter', () => {
    const { ledger, refresh } = login()
    takes(refresh)
    const { refresh_token } = ledger.refresh(refresh)
    now += 100
    loses()
    now += 100
    takes(ledger.exchange(ledger.code('user')).refresh_token)
    takes(refresh_token)
    // From then on it is what the store has.
    const next = ledger.refresh(String(refresh_token)).refresh_token
    takes(next)
    expect(violations).toEqual([])
    now += 100
    takes(ledger.exchange(ledger.code('user')).refresh_token)
    const last = ledger.refresh(String(next)).refresh_token
    takes(last)
    expect(violations).toEqual(['a login of user was replaced by what an earlier authorisation has led to'])
    now += 100
    loses()
    takes(ledger.refresh(String(last)).refresh_token)
    expect(violations).toHaveLength(1)
  })

  test('nothing of those who go on from what the store had lost before it was forgotten', () => {
    const { ledger, audit, refresh } = login()
    takes(refresh)
    const { refresh_token } = ledger.refresh(refresh)
    now += 100
    loses()
    now += 60_000
    const isDone = audit.forgetting('user')
    empties()
    const isOfIt = isDone()
    now += 60_000
    audit.sent(String(refresh_token), spender)
    const { access_token } = ledger.refresh(String(refresh_token))
    takes(refresh_token)
    expect(isOfIt(String(access_token))).toBe(false)
    expect(violations).toEqual([])
  })

  test('of what the store had lost and of what it has taken again since, that the latter was not forgotten', () => {
    const { ledger, audit, refresh } = login()
    takes(refresh)
    const later = ledger.exchange(ledger.code('user'))
    now += 100
    takes(later.refresh_token)
    now += 100
    loses()
    now += 60_000
    // Somebody has not heard of the later authorisation.
    const { refresh_token } = ledger.refresh(refresh)
    takes(refresh_token)
    now += 60_000
    const isDone = audit.forgetting('user')
    empties()
    const isOfIt = isDone()
    now += 60_000
    audit.sent(String(later.refresh_token), spender)
    expect(isOfIt(String(later.access_token))).toBe(false)
    takes(ledger.refresh(String(later.refresh_token)).refresh_token)
    expect(violations).toEqual([])
    audit.sent(String(refresh_token), spender)
    expect(violations).toEqual(['a login was refreshed after it had been forgotten'])
  })
})
