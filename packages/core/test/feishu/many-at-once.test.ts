import type { Operation, TokenStore } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { createWorld, pass, type World } from '../support/world.ts'

const ROUND_TRIP_MS = 20
/** 200 records in each, and the first by itself where the others come a turn later. */
const CALLS_FOR_A_THOUSAND = 6

/** A way to the world's store that takes its time. `reads` are the keys of every call, in order. */
function wayTo(world: World) {
  const reads: string[][] = []
  const travelled = ({ signal }: Operation): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      world.clock.schedule(resolve, ROUND_TRIP_MS)
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
  return { store, reads }
}

const isOfTenant = (key: string) => key.includes('/tenant-access-token/')

test('a thousand tenants who ask in one moment are read in a few calls, and the ticket for the app’s token does not wait behind them', async () => {
  const world = await createWorld()
  const { store, reads } = wayTo(world)
  const { tokens } = world.node({ store })
  const tenants = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`)
  const all = Promise.all(tenants.map((tenant) => tokens.tenantAccessToken(tenant)))
  // The claim, the ticket and whatever had to be read before it.
  await pass(world.clock, 8 * ROUND_TRIP_MS)
  expect(world.mints()).toBe(1)
  expect(reads.filter((keys) => keys.some(isOfTenant)).length).toBeLessThanOrEqual(CALLS_FOR_A_THOUSAND)
  expect(Math.max(...reads.map((keys) => keys.length))).toBeLessThanOrEqual(200)
  await pass(world.clock, 10_000)
  expect(new Set(await all).size).toBe(1_000)
  expect(world.mints()).toBe(1)
})
