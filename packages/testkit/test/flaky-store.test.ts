import type { StoreChange } from '@tokenwell/core'
import { flaky, virtualClock } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { memoryStore } from '../../store-memory/src/index.ts'

const request = { value: 'value', renewInMs: 1000, expiresInMs: 2000 }

function setup() {
  const clock = virtualClock()
  const records = memoryStore({ clock })
  const store = flaky(records, clock)
  const controller = new AbortController()
  const operation = { signal: controller.signal }
  const version = async () => (await records.read(['key'], { signal: new AbortController().signal }))[0]?.version
  return { clock, store, version, operation, giveUp: () => controller.abort(new Error('given up')) }
}

test('without faults every call passes and is logged', async () => {
  const { store, operation } = setup()
  await store.read(['one', 'two'], operation)
  const claim = await store.claim('key', 'a', { leaseMs: 1000, seen: 0, rejected: 0 }, operation)
  if (claim.kind === 'granted') await store.publish('key', 'a', claim.fence, request, operation)
  await store.settle('key', 'a', 1, { backoffMs: 0 }, operation)
  await store.invalidate('key', 1, operation)
  expect(store.calls.map(({ operation, key, outcome, delivered }) => `${operation} ${key}: ${outcome} ${delivered}`)).toEqual([
    'read one, two: answered 1',
    'claim key: granted 1',
    'publish key: accepted 1',
    'settle key: answered 1',
    'invalidate key: answered 1',
  ])
})

test('a call that throws never reaches the store', async () => {
  const { store, version, operation } = setup()
  const error = new Error('connection refused')
  store.next('publish', { kind: 'throw', error })
  await expect(store.publish('key', 'a', 1, request, operation)).rejects.toBe(error)
  expect(await version()).toBe(0)
  expect(store.calls).toEqual([{ operation: 'publish', key: 'key', fault: 'throw', delivered: 0, outcome: 'failed: connection refused' }])
})

test('a delayed call reaches the store after the delay', async () => {
  const { clock, store, version, operation } = setup()
  store.next('publish', { kind: 'delay', ms: 100 })
  const publication = store.publish('key', 'a', 1, request, operation)
  await clock.advance(99)
  expect(await version()).toBe(0)
  await clock.advance(1)
  expect((await publication).kind).toBe('accepted')
})

test('a delayed call that is given up never reaches the store and leaves no timer', async () => {
  const { clock, store, version, operation, giveUp } = setup()
  store.next('publish', { kind: 'delay', ms: 100 })
  const publication = store.publish('key', 'a', 1, request, operation)
  giveUp()
  await expect(publication).rejects.toThrow('given up')
  expect(clock.pending).toBe(0)
  await clock.advance(100)
  expect(await version()).toBe(0)
})

test('a late call reaches the store also when it was given up', async () => {
  const { clock, store, version, operation, giveUp } = setup()
  store.next('publish', { kind: 'late', ms: 100 })
  const publication = store.publish('key', 'a', 1, request, operation)
  giveUp()
  await expect(publication).rejects.toThrow('given up')
  await clock.advance(100)
  expect(await version()).toBe(1)
  expect(store.calls[0]).toMatchObject({ delivered: 1, outcome: 'given up' })
})

test('a dropped request never reaches the store and ends with the signal', async () => {
  const { clock, store, version, operation, giveUp } = setup()
  store.next('publish', { kind: 'drop-request' })
  const publication = store.publish('key', 'a', 1, request, operation)
  await clock.advance(1_000_000)
  expect(store.calls[0]?.outcome).toBe('pending')
  giveUp()
  await expect(publication).rejects.toThrow('given up')
  expect(await version()).toBe(0)
})

test('a dropped reply leaves the effect and ends with the signal', async () => {
  const { clock, store, version, operation, giveUp } = setup()
  store.next('publish', { kind: 'drop-reply' })
  const publication = store.publish('key', 'a', 1, request, operation)
  await clock.advance(0)
  expect(await version()).toBe(1)
  giveUp()
  await expect(publication).rejects.toThrow('given up')
})

test('a reply that is given up while the store works ends with the signal', async () => {
  const { store, operation, giveUp } = setup()
  store.next('publish', { kind: 'drop-reply' })
  const publication = store.publish('key', 'a', 1, request, operation)
  giveUp()
  await expect(publication).rejects.toThrow('given up')
})

test('a dropped reply can end with an error of its own', async () => {
  const { store, version, operation } = setup()
  store.next('publish', { kind: 'drop-reply', error: new Error('connection reset') })
  await expect(store.publish('key', 'a', 1, request, operation)).rejects.toThrow('connection reset')
  expect(await version()).toBe(1)
})

test('a call delivered twice answers the first time', async () => {
  const { clock, store, operation } = setup()
  store.next('invalidate', { kind: 'twice', afterMs: 50 })
  const { rejectedUpTo } = await store.invalidate('key', 5, operation)
  expect([rejectedUpTo, store.calls[0]?.delivered]).toEqual([5, 1])
  await clock.advance(50)
  expect(store.calls[0]).toMatchObject({ delivered: 2, outcome: 'answered' })
})

test('faults ordered for the next calls are met one by one, and only by their operation', async () => {
  const { store, operation } = setup()
  store.next('read', { kind: 'throw' }, undefined, { kind: 'throw' })
  const outcomes = async () => (await store.read(['key'], operation).catch(() => 'failed')) !== 'failed'
  await store.invalidate('key', 1, operation)
  expect([await outcomes(), await outcomes(), await outcomes(), await outcomes()]).toEqual([false, true, false, true])
})

test('an outage lasts until the store is restored', async () => {
  const { store, operation } = setup()
  store.always('all', { kind: 'throw' })
  await expect(store.read(['key'], operation)).rejects.toThrow('the store cannot be reached')
  await expect(store.subscribe?.(() => {})).rejects.toThrow('the store cannot be reached')
  store.restore()
  await expect(store.read(['key'], operation)).resolves.toHaveLength(1)
})

test('a signal that is aborted already ends every call, whatever its fault', async () => {
  const { clock, store, operation, giveUp } = setup()
  giveUp()
  const faults = ['drop-request', 'drop-reply', 'twice'] as const
  store.next('read', undefined, ...faults.map((kind) => ({ kind })), { kind: 'late', ms: 10 }, { kind: 'delay', ms: 10 })
  for (let call = 0; call < 6; call++) await expect(store.read(['key'], operation)).rejects.toThrow('given up')
  expect(clock.pending).toBe(0)
})

test('hints can be lost, and a gap told', async () => {
  const { clock, store, operation } = setup()
  const changes: StoreChange[] = []
  const stop = await store.subscribe?.((change) => changes.push(change))
  store.loseHints()
  await store.invalidate('key', 1, operation)
  await clock.advance(0)
  expect(changes).toEqual([])
  store.restore()
  store.gap()
  await store.invalidate('key', 2, operation)
  await clock.advance(0)
  expect(changes).toEqual([{ kind: 'gap' }, { kind: 'changed', key: 'key', version: 0 }])
  await stop?.()
  store.gap()
  expect(changes).toHaveLength(2)
})

test('a subscription delivered twice tells every change twice and ends as one', async () => {
  const { clock, store, operation } = setup()
  const changes: StoreChange[] = []
  store.next('subscribe', { kind: 'twice' })
  const stop = await store.subscribe?.((change) => changes.push(change))
  await clock.advance(0)
  await store.invalidate('key', 1, operation)
  await clock.advance(0)
  expect(changes).toHaveLength(2)
  await stop?.()
  await store.invalidate('key', 2, operation)
  await clock.advance(0)
  expect(changes).toHaveLength(2)
})

test('a store that cannot push stays one', () => {
  const { subscribe: _, ...silent } = memoryStore()
  expect(flaky(silent, virtualClock()).subscribe).toBeUndefined()
})
