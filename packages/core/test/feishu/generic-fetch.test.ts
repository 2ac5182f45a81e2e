import { type Fetched, isTokenError, TokenError, type TokenOptions } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'
import { errorOf, record } from '../../../../tools/leak-search/index.ts'
import { bench, hostile, source, symbolic, unreadable } from '../support/bench.ts'
import { HOUR, MINUTE, watched } from '../support/world.ts'

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
