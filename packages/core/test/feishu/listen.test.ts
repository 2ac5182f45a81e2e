import diagnosticsChannel from 'node:diagnostics_channel'
import type { Listener, StoreCall, TokenEvent, TokenManager } from '@tokenwell/core'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret, record } from '../../../../tools/leak-search/index.ts'
import { bench, source } from '../support/bench.ts'
import { createWorld, HOUR, MINUTE, quiet, watched } from '../support/world.ts'

interface Heard {
  readonly events: TokenEvent[]
  readonly calls: StoreCall[]
  readonly stop: () => void
}

function listenTo(manager: Pick<TokenManager, 'listen'>): Heard {
  const events: TokenEvent[] = []
  const calls: StoreCall[] = []
  const stop = manager.listen({ onEvent: (event) => void events.push(event), onStoreCall: (call) => void calls.push(call) })
  return { events, calls, stop }
}

const ofType = <T extends TokenEvent['type']>({ events }: Heard, type: T) =>
  events.filter((event): event is Extract<TokenEvent, { type: T }> => event.type === type)

/** A fetch that takes two seconds. */
const slow = (clock: { schedule(run: () => void, ms: number): unknown }) => async () => {
  await new Promise<void>((resolve) => clock.schedule(resolve, 2_000))
  return { value: randomSecret('generic token'), expiresInMs: HOUR }
}

test('a first fetch is told from the claim to the publication, with what it took and how long its callers waited', async () => {
  const { clock, manager } = bench()
  const heard = listenTo(manager)
  const handle = manager.token({ key: 'k', fetch: slow(clock) })
  const first = handle.get()
  await clock.advance(500)
  const second = handle.get()
  await clock.advance(1_500)
  await Promise.all([first, second])
  await quiet()
  expect(heard.events).toMatchObject([
    { type: 'granted', key: 'k' },
    { type: 'fetch-ended', outcome: 'fetched', durationMs: 2_000, serving: false },
    { type: 'renewed' },
    { type: 'waited', waitedMs: [2_000, 1_500] },
    { type: 'published', version: (await first).version },
  ])
  expect(heard.calls.map(({ operation, key, outcome }) => [operation, key, outcome])).toEqual([
    ['claim', 'k', 'answered'],
    ['publish', 'k', 'answered'],
  ])
})

test('a renewal is told as one that served meanwhile, and nobody as having waited', async () => {
  const { clock, manager } = bench()
  const handle = manager.token({ key: 'k', fetch: source().fetch })
  const { version } = await handle.get()
  await handle.get()
  const heard = listenTo(manager)
  await clock.advance(HOUR - MINUTE)
  expect((await handle.get()).version).toBeGreaterThan(version)
  expect(ofType(heard, 'fetch-ended')).toMatchObject([{ outcome: 'fetched', serving: true }])
  expect(ofType(heard, 'waited')).toEqual([])
})

test('a fetch that fails is told with its failure', async () => {
  const { manager } = bench()
  const heard = listenTo(manager)
  const fetch = async () => {
    throw new Error('no')
  }
  const caller = watched(manager.token({ key: 'k', fetch }).get({ timeoutMs: 0 }))
  await quiet()
  expect(caller.outcome).toBe('rejected')
  expect(ofType(heard, 'fetch-ended')).toMatchObject([{ outcome: 'failed', failure: { code: 'FETCH_FAILED' } }])
})

test('callers that give up, whose time is over or who are left when the manager closes are told with the code they got', async () => {
  const { clock, manager } = bench()
  const heard = listenTo(manager)
  const handle = manager.token({ key: 'k', fetch: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)) })
  const controller = new AbortController()
  const callers = [{ timeoutMs: 1_000 }, { signal: controller.signal }, {}].map((options) => watched(handle.get(options)))
  await clock.advance(300)
  controller.abort()
  await clock.advance(1_000)
  await manager.close()
  expect(callers.map(({ outcome }) => outcome)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(ofType(heard, 'waited').map(({ code, waitedMs }) => [code, waitedMs])).toEqual([
    ['ABORTED', [300]],
    ['TIMEOUT', [1_000]],
    ['CLOSED', [1_300]],
  ])
})

describe('callers who come together', () => {
  test('wait as one, are served as one, and counted one by one', async () => {
    const { clock, manager } = bench()
    const heard = listenTo(manager)
    const handle = manager.token({ key: 'k', fetch: slow(clock) })
    const [first, ...others] = Array.from({ length: 1_000 }, () => handle.get())
    // The first has begun a claim, which the others know.
    expect(new Set(others).size).toBe(1)
    expect(manager.status()[0]?.waiting).toBe(1_000)
    await clock.advance(2_000)
    expect(new Set(await Promise.all([first, ...others])).size).toBe(1)
    await quiet()
    expect(ofType(heard, 'waited')).toMatchObject([{ waitedMs: Array(1_000).fill(2_000) }])
    expect(manager.status()[0]?.waiting).toBe(0)
  })

  test('are all told of a failure', async () => {
    const { manager } = bench()
    const heard = listenTo(manager)
    const fetch = async () => {
      throw new Error('no')
    }
    const handle = manager.token({ key: 'k', fetch })
    const callers = Array.from({ length: 10 }, () => watched(handle.get({ timeoutMs: 0.5 })))
    await quiet()
    expect(callers.map(({ outcome }) => outcome)).toEqual(Array(10).fill('rejected'))
    expect(ofType(heard, 'waited').flatMap(({ waitedMs }) => waitedMs)).toHaveLength(10)
  })

  test('do not share the patience, the abort or the least life of another', async () => {
    const { clock, manager } = bench()
    const handle = manager.token({ key: 'k', fetch: slow(clock) })
    await Promise.allSettled([handle.get({ timeoutMs: 0 })])
    const abort = new AbortController()
    const [patient, hasty, aborted, exacting, last] = [
      watched(handle.get()),
      watched(handle.get({ timeoutMs: 500 })),
      watched(handle.get({ signal: abort.signal })),
      watched(handle.get({ minLifeMs: MINUTE })),
      watched(handle.get()),
    ]
    abort.abort()
    await clock.advance(500)
    expect([patient, hasty, aborted, exacting, last].map(({ outcome }) => outcome)).toEqual([
      'pending',
      'rejected',
      'rejected',
      'pending',
      'pending',
    ])
    await clock.advance(1_500)
    expect([patient, exacting, last].map(({ outcome }) => outcome)).toEqual(Array(3).fill('resolved'))
  })

  test('are not one with whoever came before something else became known', async () => {
    const { clock, manager } = bench()
    const handle = manager.token({ key: 'k', fetch: slow(clock) })
    handle.get().catch(() => {})
    const [one, same] = [handle.get(), handle.get()]
    expect(same).toBe(one)
    // The claim is answered, and no time has passed.
    await quiet()
    expect(handle.get()).not.toBe(one)
    await clock.advance(2)
    const later = handle.get()
    await clock.advance(2)
    expect(handle.get()).not.toBe(later)
    await clock.advance(2_000)
    expect((await later).version).toBe((await one).version)
  })
})

test('each try of a store operation is told, answered or not', async () => {
  const { clock, store, manager } = bench()
  const heard = listenTo(manager)
  store.next('claim', { kind: 'throw' }, { kind: 'delay', ms: 20 })
  store.next('publish', { kind: 'drop-request' })
  const caller = watched(manager.token({ key: 'k', fetch: source().fetch }).get())
  await clock.advance(20)
  expect(caller.outcome).toBe('resolved')
  await clock.advance(1_000)
  expect(heard.calls).toEqual([
    { operation: 'claim', key: 'k', durationMs: 0, outcome: 'failed' },
    { operation: 'claim', key: 'k', durationMs: 20, outcome: 'answered' },
    { operation: 'publish', key: 'k', durationMs: 1_000, outcome: 'timed-out' },
    { operation: 'publish', key: 'k', durationMs: 0, outcome: 'answered' },
  ])
})

test('an answer that comes when its time is over is not told a second time', async () => {
  const { clock, store, manager } = bench()
  const heard = listenTo(manager)
  store.next('claim', { kind: 'late', ms: 1_500 })
  void manager.token({ key: 'k', fetch: source().fetch }).get()
  await clock.advance(2_000)
  expect(heard.calls.filter(({ operation }) => operation === 'claim').map(({ outcome }) => outcome)).toEqual(['timed-out', 'answered'])
})

test('a call for a token that is in memory tells nothing', async () => {
  const { clock, manager } = bench()
  const handle = manager.token({ key: 'k', fetch: source().fetch })
  await handle.get()
  await clock.advance(MINUTE)
  const heard = listenTo(manager)
  const published: unknown[] = []
  const hear = (message: unknown) => void published.push(message)
  for (const channel of ['tokenwell', 'tokenwell:step']) {
    diagnosticsChannel.subscribe(channel, hear)
    onTestFinished(() => void diagnosticsChannel.unsubscribe(channel, hear))
  }
  for (let call = 0; call < 100; call += 1) {
    await handle.get()
    handle.peek()
    await clock.advance(100)
  }
  await quiet()
  expect([heard.events, heard.calls, published]).toEqual([[], [], []])
})

describe('a listener', () => {
  test('hears nothing more once it has been stopped, and others go on', async () => {
    const { manager } = bench()
    const [one, other] = [listenTo(manager), listenTo(manager)]
    await manager.token({ key: 'a', fetch: source().fetch }).get()
    await quiet()
    one.stop()
    one.stop()
    const before = [one.events.length, one.calls.length]
    await manager.token({ key: 'b', fetch: source().fetch }).get()
    await quiet()
    expect([one.events.length, one.calls.length]).toEqual(before)
    expect(other.events.filter(({ key }) => key === 'b')).toHaveLength(5)
  })

  test('that throws, or returns a promise that rejects, is not noticed by callers', async () => {
    const { manager } = bench()
    let calls = 0
    manager.listen({
      onEvent() {
        calls += 1
        throw new Error('the log is full')
      },
      async onStoreCall() {
        calls += 1
        throw new Error('the log is full')
      },
    })
    expect((await manager.token({ key: 'k', fetch: source().fetch }).get()).value).toHaveLength(32)
    expect(calls).toBeGreaterThan(1)
  })

  test.each<[string, unknown, RegExp]>([
    ['no object', () => {}, /^listen: expected an object, got a value of type function/],
    ['with a name that is none', { onevent() {} }, /^listen: there is no option "onevent"; it takes onEvent, onStoreCall/],
    ['whose onEvent is no function', { onEvent: 'log' }, /^onEvent: expected a function/],
    ['whose onStoreCall is no function', { onStoreCall: 'log' }, /^onStoreCall: expected a function/],
  ])('%s is a TypeError that says so', async (_, listener, message) => {
    const { manager } = bench()
    const world = await createWorld()
    for (const { listen } of [manager, world.node().tokens]) {
      const error = await errorOf((async () => listen(listener as Listener))())
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toMatch(message)
    }
  })

  test('of the tokens of an app hears of no other app on the same manager', async () => {
    const world = await createWorld()
    const { tokens, manager } = world.node()
    const other = createFeishuTokens({ appId: 'cli_world_2', appSecret: randomSecret('app secret'), manager, domain: world.simulator.url })
    const [own, all] = [listenTo(tokens), listenTo(manager)]
    await tokens.appAccessToken()
    expect(await errorOf(other.app.get({ timeoutMs: 0 }))).toMatchObject({ code: 'TIMEOUT' })
    await quiet()
    record('events', own)
    const isOwn = ({ key }: { readonly key: string }) => key.includes('/cli_world/')
    expect(all.events.every(isOwn)).toBe(false)
    expect(all.calls.every(isOwn)).toBe(false)
    expect(own.events).toEqual(all.events.filter(isOwn))
    expect(own.calls).toEqual(all.calls.filter(isOwn))
    expect(own.events.map(({ type }) => type)).toContain('published')
  })
})
