import { setTimeout as passed } from 'node:timers/promises'
import { postgresStore } from '@tokenwell/store-postgres'
import { describeTokenStore } from '@tokenwell/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { moveDeadlines, removeRecords, serverTime } from './records.ts'

interface Harness {
  readonly schema: string
  /** A pool as a node of a fleet has one. */
  readonly connect: () => Pool
  /** A pool that sees all records. */
  readonly admin: () => Pool
  /** Where to listen; see the store's options. */
  readonly listen?: () => boolean | string
}

/** Most of a test is waiting: so many run at the same time, each lane over records of its own. */
const LANES = 4

/** Registers the whole conformance suite. Two nodes with pools of their own; each test finds empty records. */
export function testConformance(harness: Harness): void {
  for (let lane = 0; lane < LANES; lane++) {
    describe.concurrent(`part ${lane + 1} of ${LANES}`, () =>
      testLane({ ...harness, schema: `${harness.schema} ${process.pid} ${lane}` }, lane))
  }
}

function testLane({ schema, connect, admin, listen = () => true }: Harness, lane: number): void {
  let pools: readonly [Pool, Pool]
  let turns = 0

  beforeAll(() => {
    pools = [connect(), connect()]
  })

  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()))
    await admin().query(`drop schema if exists "${schema}" cascade`)
  })

  const { notRun } = describeTokenStore({
    test: (name, run) => {
      if (turns++ % LANES === lane) test(name, { concurrent: false }, run)
    },
    capabilities: { shared: true, durable: true, push: true },
    factory: async () => {
      const open = (pool: Pool) => postgresStore({ pool, schema, listen: listen() })
      const stores = [open(pools[0]), open(pools[1])] as const
      await stores[0].read(['any'], { signal: new AbortController().signal })
      return {
        stores,
        reopen: async () => open(pools[0]),
        close: async () => {
          for (const store of stores) await store.close()
          await removeRecords(admin(), schema)
        },
      }
    },
    clock: { now: () => serverTime(admin()), pass: passed, stepBack: (ms) => moveDeadlines(admin(), schema, ms) },
  })

  test('and nothing of it was left out', { concurrent: false }, () => {
    expect(notRun).toEqual([])
    expect(turns).toBeGreaterThan(100)
  })
}
