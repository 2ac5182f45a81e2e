import {
  createTokenManager,
  type Fetched,
  type TokenManager,
  type TokenManagerOptions,
  type TokenOptions,
  type TokenStore,
} from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { errorOf, randomSecret, record } from '../../../../tools/leak-search/index.ts'
import { insideOf } from '../../src/inside.ts'
import { bench, source } from '../support/bench.ts'
import { HOUR, MINUTE, quiet, watched } from '../support/world.ts'

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
      await clock.advance(10_000)
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
