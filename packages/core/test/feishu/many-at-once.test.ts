import type { Operation, TokenStore } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { createWorld, pass, type World } from '../support/world.ts'

const ROUND_TRIP_MS = 20
const STORE_TIMEOUT_MS = 1_000
/** 200 records in each, and the first by itself where the others come a turn later. */
const CALLS_FOR_A_THOUSAND = 6

/** A way to the world's store that takes its time, or has no end. `reads` are the keys of every call, in order. */
function wayTo(world: World) {
  const reads: string[][] = []
  const way = { isCut: false, reads }
  const travelled = ({ signal }: Operation): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      if (!way.isCut) world.clock.schedule(resolve, ROUND_TRIP_MS)
    })
  const store: TokenStore = {
    ...world.store,
    read: async (keys, operation) => {
      reads.push([...keys])
      await travelled(operation)
      return world.store.read(keys, operation)
    },
    claim: async (key, attempt, request, operation) => {
      await travelled(operation)
      return world.store.claim(key, attempt, request, operation)
    },
  }
  return { store, way }
}

const isOfTenant = (key: string) => key.includes('/tenant-access-token/')

test('a thousand tenants who ask in one moment are read in a few calls, and the ticket for the app’s token does not wait behind them', async () => {
  const world = await createWorld()
  const { store, way } = wayTo(world)
  const { tokens } = world.node({ store })
  const tenants = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`)
  const all = Promise.all(tenants.map((tenant) => tokens.tenantAccessToken(tenant)))
  // The claim, the ticket and whatever had to be read before it.
  await pass(world.clock, 8 * ROUND_TRIP_MS)
  expect(world.mints()).toBe(1)
  expect(way.reads.filter((keys) => keys.some(isOfTenant)).length).toBeLessThanOrEqual(CALLS_FOR_A_THOUSAND)
  expect(Math.max(...way.reads.map((keys) => keys.length))).toBeLessThanOrEqual(200)
  await pass(world.clock, 10_000)
  expect(new Set(await all).size).toBe(1_000)
  expect(world.mints()).toBe(1)
})

test('one record that the store cannot read is no matter of the others who were read with it, nor of the ticket', async () => {
  const world = await createWorld()
  const { store } = wayTo(world)
  const { tokens, events } = world.node({
    store: {
      ...store,
      read: async (keys, operation) => {
        if (keys.some((key) => key.endsWith('/tenant-7'))) throw new Error('a record of another format')
        return store.read(keys, operation)
      },
    },
  })
  const tenants = Array.from({ length: 100 }, (_, index) => `tenant-${index}`)
  const all = Promise.all(tenants.map((tenant) => tokens.tenantAccessToken(tenant)))
  await pass(world.clock, 10_000)
  expect(new Set(await all).size).toBe(100)
  expect(events.filter(({ type }) => type === 'backoff')).toEqual([])
})

test('when the store does not answer, all who wait to be read are tried at once', async () => {
  const world = await createWorld()
  const { store, way } = wayTo(world)
  const { tokens } = world.node({ store })
  way.isCut = true
  const tenants = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`)
  const all = Promise.allSettled(tenants.map((tenant) => tokens.tenant(tenant).get({ timeoutMs: 30_000 })))
  await pass(world.clock, 2 * STORE_TIMEOUT_MS)
  expect(new Set(way.reads.flat().filter(isOfTenant)).size).toBe(1_000)
  way.isCut = false
  await pass(world.clock, 40_000)
  expect((await all).filter(({ status }) => status === 'fulfilled').length).toBe(1_000)
})
