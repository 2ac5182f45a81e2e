import { AssertionError } from 'node:assert'
import type { Operation, PublishRequest, StoreChange, TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { expect, test, vi } from 'vitest'

const DAY_MS = 24 * 60 * 60 * 1000
const LIFE_MS = 2 * 60 * 60 * 1000

const operation = (): Operation => ({ signal: new AbortController().signal })

const publication: PublishRequest = { value: 'value', renewInMs: LIFE_MS / 2, expiresInMs: LIFE_MS }

function publish(store: TokenStore, key: string, fence: number, request: Partial<PublishRequest> = {}) {
  return store.publish(key, `attempt for ${key} ${fence}`, fence, { ...publication, ...request }, operation())
}

async function version(store: TokenStore, key: string): Promise<number | undefined> {
  const [snapshot] = await store.read([key], operation())
  return snapshot?.version
}

/** Enough writes for every record to be looked at. */
async function writeElsewhere(store: TokenStore, fence: number, times = 10): Promise<void> {
  for (let each = 0; each < times; each++) await publish(store, 'elsewhere', fence + each)
}

function setup() {
  const clock = virtualClock()
  return { clock, store: memoryStore({ clock }), now: () => clock.wall() * 1000 }
}

test('the machine tells the time when no clock is given', async () => {
  const before = Date.now() * 1000
  const claim = await memoryStore().claim('key', 'a', { leaseMs: 1000, seen: 0, rejected: 0 }, operation())
  if (claim.kind !== 'granted') throw new AssertionError({ message: claim.kind })
  expect(claim.fence).toBeGreaterThanOrEqual(before)
  expect(claim.fence).toBeLessThanOrEqual(Date.now() * 1000)
})

test('a clock with fractions of milliseconds makes whole fences and exact deadlines', async () => {
  let wall = 1_767_225_600_000.125
  const store = memoryStore({ clock: { wall: () => wall } })
  for (let each = 0; each < 100; each++) {
    wall += 0.037
    const claim = await store.claim(`key ${each}`, 'a', { leaseMs: 0.3, seen: 0, rejected: 0 }, operation())
    expect(claim).toMatchObject({ kind: 'granted', fence: Math.floor(wall * 1000), snapshot: { lease: { expiresInMs: 0.3 } } })
  }
})

test('two stores share nothing', async () => {
  const { clock, store, now } = setup()
  await publish(store, 'key', now())
  expect(await version(memoryStore({ clock }), 'key')).toBe(0)
})

test('a closed store has no listeners, and keeps its records for the next user', async () => {
  const { clock, store, now } = setup()
  const changes: StoreChange[] = []
  await store.subscribe?.((change) => changes.push(change))
  await publish(store, 'key', now())
  await clock.advance(0)
  await store.close()
  await publish(store, 'key', now() + 1)
  await clock.advance(0)
  expect(changes).toHaveLength(1)
  expect(await version(store, 'key')).toBe(now() + 1)
})

test('a listener is called after the operation has taken effect, not within it', async () => {
  const { clock, store, now } = setup()
  const events: string[] = []
  await store.subscribe?.(() => events.push('listener'))
  const published = publish(store, 'key', now())
  events.push('called')
  await published
  await clock.advance(0)
  expect(events).toEqual(['called', 'listener'])
})

test('a listener that ends another subscription silences it at once', async () => {
  const { clock, store, now } = setup()
  const told: string[] = []
  let stopSecond: (() => Promise<void>) | undefined
  await store.subscribe?.(() => {
    told.push('first')
    void stopSecond?.()
  })
  stopSecond = await store.subscribe?.(() => told.push('second'))
  await publish(store, 'key', now())
  await clock.advance(0)
  expect(told).toEqual(['first'])
})

test('listeners are told while a test runner fakes all that fake timers can', async () => {
  const { store, now } = setup()
  const changes: StoreChange[] = []
  await store.subscribe?.((change) => changes.push(change))
  vi.useFakeTimers({ toFake: ['queueMicrotask', 'setTimeout', 'setImmediate', 'Date', 'performance'] })
  try {
    await publish(store, 'key', now())
  } finally {
    vi.useRealTimers()
  }
  expect(changes).toMatchObject([{ kind: 'changed', key: 'key' }])
})

test('the same listener can subscribe twice, and each subscription ends for itself', async () => {
  const { clock, store, now } = setup()
  let told = 0
  const listener = () => told++
  const stop = await store.subscribe?.(listener)
  await store.subscribe?.(listener)
  await stop?.()
  await publish(store, 'key', now())
  await clock.advance(0)
  expect(told).toBe(1)
})

test('a value that has ended is kept for thirty days, then forgotten', async () => {
  const { clock, store, now } = setup()
  const published = now()
  await publish(store, 'key', published)
  await clock.advance(LIFE_MS + 30 * DAY_MS)
  await writeElsewhere(store, now())
  expect(await version(store, 'key')).toBe(published)
  await clock.advance(1)
  await writeElsewhere(store, now())
  expect(await version(store, 'key')).toBe(0)
})

test('a record with a live value, lease or backoff is not forgotten', async () => {
  const { clock, store, now } = setup()
  await publish(store, 'value', now(), { expiresInMs: 3650 * DAY_MS })
  await store.claim('lease', 'a', { leaseMs: 365 * DAY_MS, seen: 0, rejected: 0 }, operation())
  const claim = await store.claim('backoff', 'a', { leaseMs: 1000, seen: 0, rejected: 0 }, operation())
  if (claim.kind !== 'granted') throw new AssertionError({ message: claim.kind })
  await store.settle('backoff', 'a', claim.fence, { backoffMs: 365 * DAY_MS }, operation())
  await clock.advance(300 * DAY_MS)
  await writeElsewhere(store, now())
  const [value, lease, backoff] = await store.read(['value', 'lease', 'backoff'], operation())
  expect([value?.value, lease?.lease !== undefined, backoff?.backoff?.failures]).toEqual(['value', true, 1])
})

test('a value that had ended when it was published is kept as long as any other', async () => {
  const { clock, store, now } = setup()
  await publish(store, 'key', 1)
  await clock.advance(29 * DAY_MS)
  await writeElsewhere(store, now())
  expect(await version(store, 'key')).toBe(1)
})

test('writes forget old records faster than they make new ones', async () => {
  const { clock, store, now } = setup()
  const keys = Array.from({ length: 1000 }, (_, index) => `old ${index}`)
  for (const key of keys) await publish(store, key, now())
  await clock.advance(LIFE_MS + 31 * DAY_MS)
  for (let each = 0; each < 1001; each++) await publish(store, `new ${each}`, now())
  const snapshots = await store.read(keys, operation())
  expect(snapshots.filter((snapshot) => snapshot.version > 0)).toEqual([])
})

test('a record that is lost is as if it had never been, and the others stay', async () => {
  const { store, now } = setup()
  await publish(store, 'one', now())
  await publish(store, 'other', now() + 1)
  store.lose('one')
  store.lose('none')
  expect(await version(store, 'one')).toBe(0)
  expect(await version(store, 'other')).toBe(now() + 1)
  await writeElsewhere(store, now() + 2)
  expect(await version(store, 'other')).toBe(now() + 1)
  expect((await store.claim('one', 'a', { leaseMs: 1_000, seen: 0, rejected: 0 }, operation())).kind).toBe('granted')
})
