import { setTimeout as passed } from 'node:timers/promises'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import { describeTokenStore } from '@tokenwell/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrationsOf } from '../src/migrations.ts'
import { shipped, storeWith } from '../src/postgres-store.ts'
import { type Sources, sources } from '../src/sources.ts'
import { breaks, broken } from './support/breaks.ts'
import { lockWaitCases } from './support/lock-wait.ts'
import { patient } from './support/operations.ts'
import { connect } from './support/pool.ts'
import { moveDeadlines, removeRecords, serverTime } from './support/records.ts'

/** Tests that run at the same time, each lane over records of its own. */
const LANES = 6

describe('a rule taken out of a function is missed', () => {
  let server: PostgresServer
  let admin: Pool
  let pools: readonly Pool[]
  let rounds = 0

  beforeAll(async () => {
    server = await startPostgres()
    admin = connect(server.url, { max: 20 })
    pools = [connect(server.url, { max: 20 }), connect(server.url, { max: 20 })]
  }, 60_000)

  afterAll(async () => {
    for (const pool of [admin, ...pools]) await pool.end()
    await server.stop()
  })

  /** Names of the tests that fail with these sources, of one lane's share of them. */
  async function failuresIn(sources: Sources, schema: string, isMine: (name: string) => boolean): Promise<string[]> {
    const migrations = migrationsOf(sources)
    const open = (node: number) => storeWith({ ...shipped, migrations }, { pool: pools[node] ?? admin, schema })
    const runs: [string, () => Promise<void>][] = []
    describeTokenStore({
      test: (name, run) => {
        // What text comes back is no matter of these rules.
        if (!/^(key|value): /.test(name)) runs.push([name, run])
      },
      capabilities: { shared: true, durable: true, push: true },
      factory: () => {
        const stores = [open(0), open(1)] as const
        return {
          stores,
          reopen: async () => open(0),
          close: async () => {
            for (const store of stores) await store.close()
            await removeRecords(admin, schema)
          },
        }
      },
      clock: { now: () => serverTime(admin), pass: passed, stepBack: (ms) => moveDeadlines(admin, schema, ms) },
    })
    const withStore = (run: (store: ReturnType<typeof open>) => Promise<void>) => async () => {
      const store = open(0)
      await store.read(['any'], patient)
      await run(store)
      await store.close()
      await removeRecords(admin, schema)
    }
    for (const [name, run] of Object.entries(lockWaitCases)) runs.push([name, withStore((store) => run({ store, admin, schema }))])
    const failed: string[] = []
    await open(0).read(['any'], patient)
    for (const [name, run] of runs.filter(([name]) => isMine(name))) {
      await run().catch(async () => {
        failed.push(name)
        await removeRecords(admin, schema)
      })
    }
    return failed
  }

  async function failures(sources: Sources): Promise<string[]> {
    const round = rounds++
    const names: string[] = []
    const turnOf = (name: string) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1)
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      failuresIn(sources, `broken ${round} ${lane}`, (name) => turnOf(name) % LANES === lane),
    )
    return (await Promise.all(lanes)).flat().sort()
  }

  test('nothing fails with the functions as they are', async () => {
    expect(await failures(sources)).toEqual([])
  })

  test.each(Object.entries(breaks))('%s', async (_, each) => {
    const failed = await failures(broken(each))
    expect(failed.filter((name) => !each.mayFail?.test(name))).toEqual([...each.fails].sort())
  })
}, 60_000)
