import { setTimeout as passed } from 'node:timers/promises'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import { describeTokenStore } from '@tokenwell/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Names } from '../src/names.ts'
import { shipped, storeWith } from '../src/postgres-store.ts'
import type { Statements } from '../src/statements.ts'
import { breaks, broken, MANY_KEYS } from './support/breaks.ts'
import { lockWaitCases } from './support/lock-wait.ts'
import { claim, patient } from './support/operations.ts'
import { connect } from './support/pool.ts'
import { moveDeadlines, removeRecords, serverTime } from './support/records.ts'

/** Tests that run at the same time, each lane over records of its own. */
const LANES = 6

describe('a rule taken out of a statement is missed', () => {
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

  /** Names of the tests that fail with these statements, of one lane's share of them. */
  async function failuresIn(
    statements: (names: Names) => Statements,
    schema: string,
    isMine: (name: string) => boolean,
  ): Promise<string[]> {
    const open = (node: number) => storeWith({ ...shipped, statements }, { pool: pools[node] ?? admin, schema })
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
    const holders = withStore(async (store) => {
      const keys = Array.from({ length: 20 }, (_, index) => `new key ${index}`)
      for (const key of keys) {
        const claims = await Promise.all(['a', 'b', 'c', 'd'].map((attempt) => store.claim(key, attempt, claim, patient)))
        expect(claims.map(({ kind }) => kind).sort()).toEqual(['granted', 'held', 'held', 'held'])
      }
    })
    runs.push([MANY_KEYS, holders])
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

  async function failures(statements: (names: Names) => Statements, only?: string): Promise<string[]> {
    const round = rounds++
    const names: string[] = []
    const turnOf = (name: string) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1)
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      failuresIn(statements, `broken ${round} ${lane}`, (name) => (only === undefined || name === only) && turnOf(name) % LANES === lane),
    )
    return (await Promise.all(lanes)).flat().sort()
  }

  test('nothing fails with the statements as they are', async () => {
    expect(await failures(shipped.statements)).toEqual([])
  })

  test.each(Object.entries(breaks))('%s', async (_, each) => {
    const failed = await failures(broken(each), each.only)
    expect(failed.filter((name) => !each.mayFail?.test(name))).toEqual([...each.fails].sort())
  })
}, 60_000)
