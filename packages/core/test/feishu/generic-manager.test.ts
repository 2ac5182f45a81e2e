import {
  createTokenManager,
  type FetchContext,
  type Fetched,
  isTokenError,
  TokenError,
  type TokenEvent,
  type TokenManager,
  type TokenManagerOptions,
  type TokenOptions,
  type TokenStore,
} from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { type FlakyStore, flaky, type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../../../../tools/leak-search/index.ts'
import { insideOf } from '../../src/inside.ts'
import { errorOf, HOUR, MINUTE, quiet, settlesInOneTurn, watched } from '../support/world.ts'

interface Bench {
  readonly clock: VirtualClock
  readonly store: FlakyStore
  readonly manager: TokenManager
  readonly events: TokenEvent[]
  /** One more manager on the same store. */
  another(options?: Partial<TokenManagerOptions>): TokenManager
}

/** A manager on a store with faults to order, both on virtual time; closed when the test ends. */
function bench(options: Partial<TokenManagerOptions> = {}): Bench {
  const clock = virtualClock()
  const store = flaky(memoryStore({ clock }), clock)
  const events: TokenEvent[] = []
  const managers: TokenManager[] = []
  const another = (given: Partial<TokenManagerOptions> = {}): TokenManager => {
    const manager = createTokenManager({ store, clock, onEvent: (event) => events.push(event), ...given })
    managers.push(manager)
    return manager
  }
  onTestFinished(async () => {
    store.restore()
    const closing = Promise.all(managers.map((manager) => manager.close()))
    await clock.advance(10_000)
    await closing
    expect(clock.pending).toBe(0)
    record(
      'events',
      events.map((event) => ('failure' in event ? { ...event, failure: String(event.failure) } : event)),
    )
  })
  return { clock, store, manager: another(options), events, another }
}

/** A fetch that counts, and what it gives out. */
function source(lifeMs = HOUR): { readonly fetch: (context: FetchContext) => Promise<Fetched>; readonly contexts: FetchContext[] } {
  const contexts: FetchContext[] = []
  return {
    contexts,
    async fetch(context) {
      contexts.push(context)
      return { value: randomSecret('generic token'), expiresInMs: lifeMs }
    },
  }
}

const hostile = new Error('an error that cannot be read')
Object.defineProperty(hostile, 'name', {
  get() {
    throw new Error('no name')
  },
})
const symbolic = Object.assign(new Error('an error with an odd name'), { name: Symbol('name') as unknown as string })
const unreadable = new Proxy(
  {},
  {
    get() {
      throw new Error('unreadable')
    },
    has() {
      throw new Error('unreadable')
    },
    getPrototypeOf() {
      throw new Error('unreadable')
    },
  },
)

describe('a fetch that throws', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'out of order'],
    ['a number', 42],
    ['a symbol', Symbol('odd')],
    ['an object', { code: 'ODD' }],
    ['an error', new Error('out of order')],
    ['a frozen error', Object.freeze(new Error('frozen'))],
    ['an error whose name cannot be read', hostile],
    ['an error whose name is a symbol', symbolic],
    ['an object that cannot be read', unreadable],
  ])('%s fails its callers with FETCH_FAILED and that as the cause, and is tried again', async (_, thrown) => {
    const { clock, manager } = bench()
    let fetches = 0
    const handle = manager.token({
      key: 'k',
      async fetch() {
        fetches += 1
        if (fetches === 1) throw thrown
        return { value: 'a-token-in-the-second-try', expiresInMs: HOUR }
      },
    })
    const hasty = watched(handle.get({ timeoutMs: 100 }).catch((error: unknown) => Promise.reject(describeError(error))))
    const patient = watched(handle.get())
    await clock.advance(100)
    expect(hasty.outcome).toBe('rejected')
    const told = (await hasty.promise.catch((error: unknown) => error)) as ReturnType<typeof describeError>
    expect(told).toMatchObject({ isTokenError: true, code: 'FETCH_FAILED', retryable: true })
    await clock.advance(1_000)
    expect(patient.outcome).toBe('resolved')
    expect(fetches).toBe(2)
  })

  test('an error that quotes a secret does not bring it into any message, event type, status or record', async () => {
    const { clock, store, manager, events } = bench()
    // Not registered for the search of the run: the cause is the user's own error and keeps its text.
    const password = 'hunter2-hunter2-hunter2'
    const handle = manager.token({
      key: 'k',
      fetch: () => Promise.reject(Object.assign(new Error(`401 for password ${password}`), { name: 'LoginError' })),
    })
    const pending = handle.get().catch((error: unknown) => error)
    await clock.advance(15_000)
    const error = (await pending) as TokenError
    expect(isTokenError(error)).toBe(true)
    for (const each of [error, error.cause].filter(isTokenError)) {
      expect(`${each.message} ${String(each)} ${JSON.stringify(each)}`).not.toContain(password)
    }
    expect(JSON.stringify([events, manager.status()])).not.toContain(password)
    const [snapshot] = await store.read(['tokenwell/k'], { signal: new AbortController().signal })
    expect(snapshot?.backoff?.failure).toContain('LoginError')
    expect(JSON.stringify(snapshot)).not.toContain(password)
  })

  test('a TokenError of its own is what every caller of every node gets', async () => {
    const { clock, manager, another } = bench()
    const failure = new TokenError('CONFIGURATION_REJECTED', 'The client id is wrong: check CLIENT_ID.', { retryable: false })
    const fetch = () => Promise.reject(failure)
    expect(await errorOf(manager.token({ key: 'k', fetch }).get())).toBe(failure)
    expect(await errorOf(another().token({ key: 'k', fetch }).get())).toMatchObject({
      code: 'CONFIGURATION_REJECTED',
      message: failure.message,
      retryable: false,
    })
    expect(clock.monotonic()).toBe(0)
  })

  test.each([[Number.NaN], [Number.NEGATIVE_INFINITY], [-5], [Number.POSITIVE_INFINITY]])(
    'a TokenError with a retryAfterMs of %d does not bring a loop or a wait without end',
    async (retryAfterMs) => {
      const { clock, manager } = bench()
      let fetches = 0
      const handle = manager.token({
        key: 'k',
        async fetch() {
          fetches += 1
          throw new TokenError('RATE_LIMITED', 'slow down', { retryable: true, retryAfterMs })
        },
      })
      for (let second = 0; second < 60; second += 1) {
        handle.get({ timeoutMs: 0 }).catch(() => {})
        await clock.advance(1_000)
      }
      expect(fetches).toBeLessThanOrEqual(9)
      const before = fetches
      for (let minute = 0; minute < 90; minute += 1) {
        handle.get({ timeoutMs: 0 }).catch(() => {})
        await clock.advance(MINUTE)
      }
      expect(fetches).toBeGreaterThan(before)
    },
  )
})

function describeError(error: unknown) {
  const { code, retryable, message } = error as TokenError
  return {
    isTokenError: isTokenError(error),
    code: code === 'TIMEOUT' ? ((error as Error).cause as TokenError).code : code,
    retryable,
    message,
  }
}

describe('a fetch that returns', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'a token'],
    ['an empty object', {}],
    ['an empty value', { value: '', expiresInMs: 1_000 }],
    ['a number for a value', { value: 12, expiresInMs: 1_000 }],
    ['no life', { value: 'a-token-without-life' }],
    ['a life in text', { value: 'a-token-without-life', expiresInMs: '1000' }],
    ['a life of NaN', { value: 'a-token-without-life', expiresInMs: Number.NaN }],
    ['a life without end', { value: 'a-token-without-life', expiresInMs: Number.POSITIVE_INFINITY }],
    ['a life of nothing', { value: 'a-token-without-life', expiresInMs: 0 }],
    ['a life that is over', { value: 'a-token-without-life', expiresInMs: -1 }],
    ['a life of a thousand years', { value: 'a-token-without-life', expiresInMs: 1_000 * 366 * 24 * HOUR }],
  ])('%s is FETCH_INVALID, quoting none of it', async (_, result) => {
    const { clock, manager } = bench()
    const handle = manager.token({ key: 'k', fetch: async () => result as Fetched })
    const pending = handle.get({ timeoutMs: 200 }).catch((error: unknown) => error)
    await clock.advance(200)
    const error = (await pending) as TokenError
    record('error', error)
    const failure = error.code === 'TIMEOUT' ? (error.cause as TokenError) : error
    expect(failure).toMatchObject({ code: 'FETCH_INVALID', retryable: true })
    expect(failure.message).not.toContain('a-token-without-life')
    expect(failure.message).toContain('expiresInMs')
  })

  test('garbage for an hour is asked at most 9 times a minute', async () => {
    const { clock, manager } = bench()
    const times: number[] = []
    const handle = manager.token({
      key: 'k',
      async fetch() {
        times.push(clock.monotonic())
        return {} as Fetched
      },
    })
    for (let second = 0; second < 3_600; second += 1) {
      handle.get().catch(() => {})
      await clock.advance(1_000)
    }
    for (const from of times) expect(times.filter((time) => time >= from && time < from + MINUTE).length).toBeLessThanOrEqual(9)
  })

  test('a value and no promise is taken as it is', async () => {
    const { manager } = bench()
    const fetch = (() => ({ value: 'a-synchronous-token', expiresInMs: HOUR })) as unknown as TokenOptions['fetch']
    expect((await manager.token({ key: 'k', fetch }).get()).value).toBe('a-synchronous-token')
  })

  test('is told what this process had before', async () => {
    const { clock, manager } = bench()
    const { fetch, contexts } = source()
    const handle = manager.token({ key: 'k', fetch })
    const first = await handle.get()
    await clock.advance(55 * MINUTE)
    await handle.get()
    await clock.advance(0)
    expect(contexts.map(({ previous }) => previous)).toEqual([undefined, { value: first.value, version: first.version }])
  })
})

describe('a fetch that hangs and ignores its signal', () => {
  test('is given up after its timeout; callers get the next try, and what it brings too late is dropped', async () => {
    const { clock, manager } = bench()
    const late: ((fetched: Fetched) => void)[] = []
    let fetches = 0
    const handle = manager.token({
      key: 'k',
      fetch: () => {
        fetches += 1
        return fetches === 1
          ? new Promise<Fetched>((resolve) => late.push(resolve))
          : Promise.resolve({ value: 'a-token-in-the-second-try', expiresInMs: HOUR })
      },
    })
    const caller = watched(handle.get())
    await clock.advance(7_000)
    expect(caller.outcome).toBe('pending')
    await clock.advance(500)
    expect((await caller.promise).value).toBe('a-token-in-the-second-try')
    for (const resolve of late) resolve({ value: 'a-token-that-came-too-late', expiresInMs: HOUR })
    await clock.advance(MINUTE)
    expect(handle.peek()?.value).toBe('a-token-in-the-second-try')
  })

  test('for ever leaves no caller without an answer for longer than its bound', async () => {
    const { clock, manager } = bench()
    const handle = manager.token({ key: 'k', fetch: () => new Promise<Fetched>(() => {}) })
    const callers = [watched(handle.get()), watched(handle.get({ timeoutMs: 1_000 })), watched(handle.get({ timeoutMs: 0 }))]
    await clock.advance(0)
    expect(callers[2]?.outcome).toBe('rejected')
    await clock.advance(1_000)
    expect(callers[1]?.outcome).toBe('rejected')
    await clock.advance(14_000)
    expect(callers[0]?.outcome).toBe('rejected')
    const error = (await callers[0]?.promise.catch((thrown: unknown) => thrown)) as TokenError
    expect(error.code === 'TIMEOUT' ? error.cause : error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', retryable: true })
  })

  test('has its signal aborted at the deadline and at no caller’s leaving', async () => {
    const { clock, manager } = bench()
    const signals: AbortSignal[] = []
    const handle = manager.token({
      key: 'k',
      fetch: ({ signal }) => {
        signals.push(signal)
        return new Promise<Fetched>(() => {})
      },
    })
    const controller = new AbortController()
    const aborted = errorOf(handle.get({ signal: controller.signal }))
    const timed = errorOf(handle.get({ timeoutMs: 500 }))
    const patient = handle.get().catch(() => {})
    await clock.advance(500)
    controller.abort(new Error('the request was cancelled'))
    expect(await aborted).toMatchObject({ code: 'ABORTED', retryable: false, cause: { message: 'the request was cancelled' } })
    expect(await timed).toMatchObject({ code: 'TIMEOUT' })
    expect(signals[0]?.aborted).toBe(false)
    await clock.advance(6_499)
    expect(signals[0]?.aborted).toBe(false)
    await clock.advance(1)
    expect(signals[0]?.aborted).toBe(true)
    await clock.advance(20_000)
    await patient
  })

  test('takes the timeout of its policy', async () => {
    const { clock, manager } = bench()
    const signals: AbortSignal[] = []
    const handle = manager.token({
      key: 'k',
      policy: { requestTimeoutMs: 30_000 },
      fetch: ({ signal }) => {
        signals.push(signal)
        return new Promise<Fetched>(() => {})
      },
    })
    const caller = handle.get({ timeoutMs: 60_000 }).catch(() => {})
    await clock.advance(29_999)
    expect(signals[0]?.aborted).toBe(false)
    await clock.advance(1)
    expect(signals[0]?.aborted).toBe(true)
    await clock.advance(40_000)
    await caller
  })
})

describe('an option', () => {
  const store = memoryStore()
  const fetch = async () => ({ value: 'never', expiresInMs: 1 })
  const managerWith = (options: object) => () => createTokenManager({ store, ...options } as TokenManagerOptions)
  const tokenWith = (options: object) => () => createTokenManager({ store }).token({ key: 'k', fetch, ...options } as TokenOptions)

  test.each<[string, () => unknown, RegExp]>([
    ['store missing', () => createTokenManager({} as TokenManagerOptions), /^store: expected .*read\(\).*got undefined/],
    ['store of another contract', managerWith({ store: { ...store, contractVersion: 2 } }), /^store: expected contractVersion 1, got 2/],
    ['store half made', managerWith({ store: { ...store, settle: undefined } }), /^store: expected/],
    ['namespace empty', managerWith({ namespace: '' }), /^namespace: expected .*got a string of 0/],
    ['namespace too long', managerWith({ namespace: 'x'.repeat(101) }), /^namespace: /],
    ['storeTimeoutMs 9', managerWith({ storeTimeoutMs: 9 }), /^storeTimeoutMs: expected a whole number from 10 to 60000, got 9/],
    ['storeTimeoutMs as text', managerWith({ storeTimeoutMs: '1000' }), /^storeTimeoutMs: /],
    ['maxEntries 0', managerWith({ maxEntries: 0 }), /^maxEntries: expected a whole number from 1 to 10000000, got 0/],
    ['maxEntries NaN', managerWith({ maxEntries: Number.NaN }), /^maxEntries: .*got NaN/],
    ['clock half made', managerWith({ clock: { wall: () => 0 } }), /^clock: expected .*monotonic\(\)/],
    ['random half made', managerWith({ random: {} }), /^random: expected .*fraction\(\)/],
    ['onEvent no function', managerWith({ onEvent: 'log' }), /^onEvent: expected a function/],
    ['a misspelt one', managerWith({ maxEntrys: 5 }), /"maxEntrys".*maxEntries/],
    ['key missing', tokenWith({ key: undefined }), /^key: expected .*got undefined/],
    ['key empty', tokenWith({ key: '' }), /^key: /],
    ['key too long', tokenWith({ key: 'x'.repeat(501) }), /^key: /],
    ['fetch no function', tokenWith({ fetch: {} }), /^fetch: expected a function/],
    ['isRejected no function', tokenWith({ isRejected: true }), /^isRejected: expected a function/],
    ['policy no object', tokenWith({ policy: 'fast' }), /^policy: expected an object/],
    ['policy with a misspelt field', tokenWith({ policy: { renewWindow: 5 } }), /^policy\.renewWindow: no such option.*renewWindowMs/],
    ['a window of nothing', tokenWith({ policy: { renewWindowMs: 0 } }), /^policy\.renewWindowMs: expected/],
    ['a request timeout of NaN', tokenWith({ policy: { requestTimeoutMs: Number.NaN } }), /^policy\.requestTimeoutMs: .*got NaN/],
    ['a backoff of nothing', tokenWith({ policy: { backoffBaseMs: 0 } }), /^policy\.backoffBaseMs: expected milliseconds from 500/],
    ['a fatal backoff of nothing', tokenWith({ policy: { fatalBackoffMs: 0 } }), /^policy\.fatalBackoffMs: expected/],
    ['a least life of nothing', tokenWith({ policy: { minimumLifeMs: 0 } }), /^policy\.minimumLifeMs: expected/],
    [
      'jitter beyond half the window',
      tokenWith({ policy: { renewWindowMs: 60_000, renewJitterMs: 40_000, floorMs: 0 } }),
      /renewJitterMs: 40000 contradicts .*renewWindowMs .*30000/,
    ],
    [
      'a floor beyond the window',
      tokenWith({ policy: { renewWindowMs: 60_000, renewJitterMs: 0, floorMs: 61_000 } }),
      /floorMs: 61000 contradicts .*renewWindowMs.*60000/,
    ],
    [
      'a backoff that begins above its cap',
      tokenWith({ policy: { backoffBaseMs: 50_000, backoffCapMs: 40_000 } }),
      /backoffBaseMs: 50000 contradicts backoffCapMs \(40000\)/,
    ],
  ])('%s is a TypeError that says so', async (_, make, message) => {
    let thrown: unknown
    try {
      make()
    } catch (error) {
      thrown = error
      record('error', error)
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect((thrown as Error).message).toMatch(message)
  })

  test('of get() is checked at each call', async () => {
    const { manager } = bench()
    const handle = manager.token({ key: 'k', fetch: source().fetch })
    for (const [options, message] of [
      [{ timeoutMs: -1 }, /^timeoutMs: expected milliseconds from 0 to 600000, got -1/],
      [{ timeoutMs: 600_001 }, /^timeoutMs: /],
      [{ timeoutMs: Number.NaN }, /^timeoutMs: .*got NaN/],
      [{ minLifeMs: 8 * MINUTE }, /^minLifeMs: expected milliseconds from 0 to 420000/],
      [{ signal: 'stop' as unknown as AbortSignal }, /^signal: expected an AbortSignal/],
    ] as const) {
      const error = await errorOf(handle.get(options))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toMatch(message)
    }
  })

  test('that makes every token due on arrival does not make a loop', async () => {
    const { clock, manager } = bench()
    // The window is longer than any token lives.
    const { fetch, contexts } = source(2 * MINUTE)
    const handle = manager.token({ key: 'k', fetch, policy: { renewWindowMs: 30 * MINUTE, renewJitterMs: 0, floorMs: 30 * MINUTE } })
    for (let second = 0; second < 600; second += 1) {
      handle.get().catch(() => {})
      await clock.advance(1_000)
    }
    expect(contexts.length).toBeLessThanOrEqual(11)
  })
})

describe('maxEntries', () => {
  test('bounds the keys in memory, however many are asked for', async () => {
    const { clock, manager } = bench({ maxEntries: 100 })
    const { fetch, contexts } = source()
    for (let number = 0; number < 1_000; number += 1) {
      await manager.token({ key: `k${number}`, fetch }).get()
      await clock.advance(1)
      expect(manager.status().length).toBeLessThanOrEqual(100)
    }
    expect(contexts).toHaveLength(1_000)
  })

  test('forgets what was read longest ago, and finds it again in the store without a fetch', async () => {
    const { clock, manager } = bench({ maxEntries: 10 })
    const { fetch, contexts } = source()
    const handles = Array.from({ length: 10 }, (_, number) => manager.token({ key: `k${number}`, fetch }))
    for (const handle of handles) {
      await handle.get()
      await clock.advance(10)
    }
    const first = await handles[0]?.get()
    await clock.advance(10)
    await manager.token({ key: 'one more', fetch }).get()
    expect(manager.status().map(({ key }) => key)).toContain('k0')
    expect(manager.status().map(({ key }) => key)).not.toContain('k1')
    expect(await handles[0]?.get()).toBe(first)
    expect((await handles[1]?.get())?.value).toBeDefined()
    expect(contexts).toHaveLength(11)
  })

  test('never drops a key with callers waiting', async () => {
    const { clock, manager } = bench({ maxEntries: 1 })
    const release: ((fetched: Fetched) => void)[] = []
    const fetch = () => new Promise<Fetched>((resolve) => release.push(resolve))
    const callers = Array.from({ length: 20 }, (_, number) => watched(manager.token({ key: `k${number}`, fetch }).get()))
    await clock.advance(10)
    expect(release).toHaveLength(20)
    for (const resolve of release) resolve({ value: randomSecret(), expiresInMs: HOUR })
    await clock.advance(10)
    for (const { outcome } of callers) expect(outcome).toBe('resolved')
  })

  test('does not bring an older version back, whatever the store says after the key was forgotten', async () => {
    const { clock, store, manager } = bench({ maxEntries: 1 })
    const { fetch } = source()
    const handle = manager.token({ key: 'k', fetch })
    const versions: number[] = []
    const old: Awaited<ReturnType<TokenStore['read']>> = []
    for (let round = 0; round < 3; round += 1) {
      const token = await handle.get()
      versions.push(token.version)
      await clock.advance(1)
      if (round === 0) old.push(...(await store.read(['tokenwell/k'], { signal: new AbortController().signal })))
      await handle.reject(token)
      await handle.get()
      await clock.advance(1)
      await manager.token({ key: `other ${round}`, fetch }).get()
      await clock.advance(1)
      expect(manager.status().map(({ key }) => key)).not.toContain('k')
    }
    // A store that was restored from an old copy.
    const [snapshot] = old
    if (snapshot === undefined) throw new Error('nothing was read')
    const liar: TokenStore = { ...store, claim: async () => ({ kind: 'fresh', snapshot }), read: async () => [snapshot] }
    const current = await handle.get()
    expect(versions.every((version) => version < current.version)).toBe(true)
    const second = createTokenManager({
      store: { ...liar, claim: (...args) => (lying ? liar.claim(...args) : store.claim(...args)) },
      clock,
      maxEntries: 1,
    })
    let lying = false
    const again = second.token({ key: 'k', fetch })
    const seen = await again.get()
    expect(seen.version).toBe(current.version)
    await second.token({ key: 'other', fetch }).get()
    await clock.advance(1)
    lying = true
    const answer = watched(again.get())
    await clock.advance(5_000)
    expect(answer.outcome).toBe('resolved')
    expect((await answer.promise).version).toBeGreaterThanOrEqual(seen.version)
    const closing = second.close()
    await clock.advance(5_000)
    await closing
  })
})

describe('an observer', () => {
  test('that throws changes nothing', async () => {
    let events = 0
    const { manager } = bench({
      onEvent() {
        events += 1
        throw new Error('the log is full')
      },
    })
    expect((await manager.token({ key: 'k', fetch: source().fetch }).get()).value).toHaveLength(32)
    expect(events).toBeGreaterThan(0)
  })

  test('that asks for the token itself, rejects it, or closes the manager, does not get in the way', async () => {
    for (const act of ['get', 'peek', 'reject', 'close'] as const) {
      const clock = virtualClock()
      const asked: Promise<unknown>[] = []
      const managers: TokenManager[] = []
      let acts = 0
      const manager = createTokenManager({
        store: memoryStore({ clock }),
        clock,
        onEvent() {
          acts += 1
          if (acts > 5) return
          if (act === 'get') asked.push(handle.get().catch((error: unknown) => error))
          if (act === 'peek') asked.push(Promise.resolve(handle.peek()))
          if (act === 'reject') asked.push(handle.reject({ value: 'x', version: 1, expiresAt: 0 }))
          if (act === 'close') asked.push(...managers.map((each) => each.close()))
        },
      })
      managers.push(manager)
      const handle = manager.token({ key: 'k', fetch: source().fetch })
      const caller = watched(handle.get())
      await clock.advance(1_000)
      expect(caller.outcome).toBe(act === 'close' ? 'rejected' : 'resolved')
      await Promise.all(asked)
      expect(acts).toBeGreaterThan(0)
      await manager.close()
      expect(clock.pending).toBe(0)
    }
  })
})

/** A store that answers with something a store does not answer. */
function answering(
  store: TokenStore,
  operation: 'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'subscribe',
  answer: () => unknown,
): TokenStore {
  return { ...store, [operation]: answer }
}

const nonsense: readonly (readonly [string, () => unknown])[] = [
  [
    'throws before it returns a promise',
    () => {
      throw new Error('not connected')
    },
  ],
  ['rejects', () => Promise.reject(new Error('not connected'))],
  ['rejects with nothing', () => Promise.reject()],
  ['never answers', () => new Promise(() => {})],
  ['returns no promise', () => 'later'],
  ['answers nothing', async () => undefined],
  ['answers null', async () => null],
  ['answers an empty object', async () => ({})],
  ['answers an empty list', async () => []],
  ['answers text', async () => 'OK'],
  [
    'answers a snapshot with text for numbers',
    async () => ({
      kind: 'granted',
      fence: '7',
      snapshot: { key: 'k', version: '7', renewInMs: '1', expiresInMs: '1', rejectedUpTo: '0' },
    }),
  ],
  [
    'answers a kind nobody knows',
    async () => ({ kind: 'maybe', snapshot: { key: 'k', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 } }),
  ],
  [
    'answers a fence of NaN',
    async () => ({ kind: 'granted', fence: Number.NaN, snapshot: { key: 'k', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 } }),
  ],
  [
    'answers a backoff without end',
    async () => ({
      kind: 'backoff',
      snapshot: {
        key: 'k',
        version: 0,
        renewInMs: 0,
        expiresInMs: 0,
        rejectedUpTo: 0,
        backoff: { retryInMs: Number.NaN, failure: '', failures: 1 },
      },
    }),
  ],
  [
    'answers a count of NaN failures',
    async () => ({
      kind: 'granted',
      fence: 5,
      takeover: false,
      snapshot: {
        key: 'k',
        version: 0,
        renewInMs: 0,
        expiresInMs: 0,
        rejectedUpTo: 0,
        lease: { expiresInMs: 8_000 },
        backoff: { retryInMs: 0, failure: '', failures: Number.NaN },
      },
    }),
  ],
]

describe.each(nonsense)('a store that %s', (_, answer) => {
  test.each(['claim', 'publish', 'settle', 'read', 'invalidate', 'subscribe'] as const)(
    'to %s: a caller has a token within 5 seconds, upstream requests stay rare, and close() ends',
    async (operation) => {
      const clock = virtualClock()
      const base = memoryStore({ clock })
      const store = answering(base, operation, answer)
      const manager = createTokenManager({ store, clock })
      const { fetch, contexts } = source()
      const handle = manager.token({ key: 'k', fetch })
      const caller = watched(handle.get())
      await clock.advance(5_000)
      expect(caller.outcome).toBe('resolved')
      for (let second = 0; second < 120; second += 1) {
        const used = watched(handle.get())
        await clock.advance(1_000)
        expect(used.outcome).toBe('resolved')
      }
      expect(contexts.length).toBeLessThanOrEqual(9)
      const reported = watched(handle.reject(await handle.get()))
      await clock.advance(5_000)
      expect(reported.outcome).toBe('resolved')
      const after = watched(handle.get())
      await clock.advance(5_000)
      expect(after.outcome).toBe('resolved')
      const closing = watched(manager.close())
      await clock.advance(10_000)
      expect(closing.outcome).toBe('resolved')
      expect(clock.pending).toBe(0)
    },
  )

  test('to a node that has to wait for another’s lease: it gets the token, and close() ends', async () => {
    const clock = virtualClock()
    const base = memoryStore({ clock })
    const release: ((fetched: Fetched) => void)[] = []
    const holder = createTokenManager({ store: base, clock })
    const first = holder.token({ key: 'k', fetch: () => new Promise<Fetched>((resolve) => release.push(resolve)) }).get()
    await clock.advance(0)
    const manager = createTokenManager({ store: answering(base, 'subscribe', answer), clock })
    const second = watched(manager.token({ key: 'k', fetch: source().fetch }).get())
    await clock.advance(5_000)
    expect(second.outcome).toBe('pending')
    for (const resolve of release) resolve({ value: randomSecret(), expiresInMs: HOUR })
    await clock.advance(2_500)
    expect(second.outcome).toBe('resolved')
    expect((await second.promise).value).toBe((await first).value)
    const closing = watched(Promise.all([manager.close(), holder.close()]))
    await clock.advance(5_000)
    expect(closing.outcome).toBe('resolved')
    expect(clock.pending).toBe(0)
  })
})

describe('a store that is down', () => {
  test('gets the token that was fetched without it when it is back, and the fleet has it then', async () => {
    const { clock, store, manager, another } = bench()
    const { fetch, contexts } = source()
    store.always('all', { kind: 'throw' })
    const handle = manager.token({ key: 'k', fetch })
    const token = await handle.get()
    expect(manager.status()).toMatchObject([{ unpublished: true }])
    await clock.advance(10 * MINUTE)
    expect(contexts).toHaveLength(1)
    store.restore()
    await clock.advance(31_000)
    expect(manager.status()).toMatchObject([{ unpublished: false }])
    const other = await another().token({ key: 'k', fetch }).get()
    expect(other.value).toBe(token.value)
    expect((await handle.get()).version).toBe(other.version)
    expect(contexts).toHaveLength(1)
  })

  test('for publications does not hold up the caller who comes when the unpublished token was rejected', async () => {
    const { clock, store, manager } = bench()
    const { fetch, contexts } = source()
    store.always('publish', { kind: 'drop-request' })
    const handle = manager.token({ key: 'k', fetch })
    const token = await handle.get()
    await clock.advance(1_000)
    await handle.reject(token)
    const caller = watched(handle.get())
    // The publication under way is given up at 2 seconds.
    await clock.advance(1_500)
    expect(caller.outcome).toBe('resolved')
    expect((await caller.promise).version).toBeGreaterThan(token.version)
    expect(contexts).toHaveLength(2)
  })

  test('for as long as it does not answer holds a cold caller up for two deadlines and no longer', async () => {
    const { clock, store, manager } = bench({ storeTimeoutMs: 300 })
    store.always('all', { kind: 'drop-request' })
    const caller = watched(manager.token({ key: 'k', fetch: source().fetch }).get())
    await clock.advance(599)
    expect(caller.outcome).toBe('pending')
    await clock.advance(1)
    expect(caller.outcome).toBe('resolved')
  })

  test('does not hold up close(): neither its close() nor the end of a subscription is waited for without bound', async () => {
    const clock = virtualClock()
    const base = memoryStore({ clock })
    const never = () => new Promise<void>(() => {})
    const store: TokenStore = { ...base, subscribe: async () => never, close: never }
    const holder = createTokenManager({ store: base, clock })
    holder
      .token({ key: 'k', fetch: () => new Promise<Fetched>(() => {}) })
      .get()
      .catch(() => {})
    await clock.advance(0)
    const manager = createTokenManager({ store, clock })
    const caller = watched(manager.token({ key: 'k', fetch: source().fetch }).get())
    await clock.advance(100)
    const closing = watched(manager.close())
    await clock.advance(5_000)
    expect(caller.outcome).toBe('rejected')
    expect(closing.outcome).not.toBe('pending')
    await holder.close()
    expect(clock.pending).toBe(0)
  })
})

describe('the same version', () => {
  test('is the same frozen object for every reader, and a new version another one', async () => {
    const { clock, manager } = bench()
    const { fetch } = source()
    const handle = manager.token({ key: 'k', fetch })
    const [token, twin] = await Promise.all([handle.get(), manager.token({ key: 'k', fetch }).get()])
    expect(twin).toBe(token)
    expect(Object.isFrozen(token)).toBe(true)
    for (let minute = 0; minute < 40; minute += 1) {
      await clock.advance(MINUTE)
      expect(handle.peek()).toBe(token)
      expect(await handle.get()).toBe(token)
      expect(await handle.get({ timeoutMs: 5, minLifeMs: 5 })).toBe(token)
      expect(await handle.use(async (each) => each)).toBe(token)
    }
    await handle.reject(token)
    const next = await handle.get()
    expect(next).not.toBe(token)
    expect(next.version).toBeGreaterThan(token.version)
    expect(handle.peek()).toBe(next)
    expect(await settlesInOneTurn(handle.get())).toBe(true)
  })

  test('keeps callers with one signal for thousands of calls from piling up listeners on it', async () => {
    const { clock, manager } = bench()
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...args)
    }
    const handle = manager.token({ key: 'k', fetch: source().fetch })
    await Promise.all(Array.from({ length: 1_000 }, () => handle.get({ signal })))
    await clock.advance(1)
    for (let round = 0; round < 1_000; round += 1) await handle.get({ signal })
    expect(listeners).toBe(0)
  })
})

test('close() waits for what is under way, and for what that begins before it ends', async () => {
  const { manager } = bench()
  const inside = insideOf('manager', manager)
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  void inside?.track(first.promise.then(() => void inside.track(second.promise)))
  let isClosed = false
  const closing = manager.close().then(() => {
    isClosed = true
  })
  await quiet()
  first.resolve()
  await quiet()
  expect(isClosed).toBe(false)
  second.resolve()
  await closing
})
