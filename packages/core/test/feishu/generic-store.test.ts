import { createTokenManager, type Fetched, type TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { randomSecret } from '../../../../tools/leak-search/index.ts'
import { bench, source } from '../support/bench.ts'
import { HOUR, MINUTE, settlesInOneTurn, watched } from '../support/world.ts'

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

test('a store whose answers to a publication are lost takes the repeat for the same publication', async () => {
  const { clock, store, manager, events } = bench()
  // Of both tries: the publication is begun anew.
  store.next('publish', { kind: 'drop-reply' }, { kind: 'drop-reply' })
  const handle = manager.token({ key: 'k', fetch: source().fetch })
  const { version } = await handle.get()
  await clock.advance(60_000)
  expect(store.calls.filter(({ operation }) => operation === 'publish')).toHaveLength(3)
  expect(events.map(({ type }) => type)).not.toContain('superseded')
  expect(manager.status()).toMatchObject([{ version, unpublished: false }])
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

describe('callers of one process that report whatever they are given, where each request makes a new token', () => {
  const wrong = async (isDown: boolean) => {
    const { clock, store, manager, another } = bench()
    const { fetch, contexts } = source()
    const handle = manager.token({ key: 'k', fetch })
    const others = another().token({ key: 'k', fetch })
    await Promise.all([handle.get(), others.get()])
    await clock.advance(10 * MINUTE)
    if (isDown) store.always('all', { kind: 'throw' })
    const before = contexts.length
    let served = 0
    for (let second = 0; second < 120; second += 1) {
      const call = watched(handle.use(async () => 401, { isRejected: (status) => status === 401 }))
      await clock.advance(1_000)
      if (call.outcome === 'resolved') served += 1
      expect(others.peek()).toBeDefined()
    }
    return { fetches: contexts.length - before, served }
  }

  test('have it replaced six times a minute at most, and the others go on', async () => {
    const { fetches, served } = await wrong(false)
    expect(fetches).toBeGreaterThan(0)
    expect(fetches).toBeLessThanOrEqual(12)
    expect(served).toBeGreaterThan(110)
  })

  test('do so, too, where the store does not answer', async () => {
    const { fetches, served } = await wrong(true)
    expect(fetches).toBeGreaterThan(0)
    expect(fetches).toBeLessThanOrEqual(12)
    expect(served).toBeGreaterThan(100)
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
