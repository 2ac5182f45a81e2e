import { postgresStore } from '@tokenwell/store-postgres'
import { type Pgbouncer, type PostgresServer, startPgbouncer, startPostgres } from '@tokenwell/test-servers'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'

let server: PostgresServer
let pgbouncer: Pgbouncer

beforeAll(async () => {
  server = await startPostgres()
  pgbouncer = await startPgbouncer({ upstream: server, poolMode: 'transaction' })
}, 60_000)

afterAll(async () => {
  await pgbouncer.stop()
  await server.stop()
})

/** A store that has one connection, and what that has prepared. */
function open(url: string) {
  // No publication looks for old records.
  const chance = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  onTestFinished(() => chance.mockRestore())
  const pool = connect(url, { max: 1 })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool, listen: false })
  onTestFinished(() => store.close())
  const prepared = async () =>
    (await pool.query<{ statement: string }>('select statement from pg_prepared_statements')).rows.map(({ statement }) => statement).sort()
  return { pool, store, prepared }
}

async function renew(store: ReturnType<typeof postgresStore>, key: string): Promise<void> {
  const granted = await store.claim(key, key, claim, patient)
  expect((await store.publish(key, key, granted.kind === 'granted' ? granted.fence : 0, publication, patient)).kind).toBe('accepted')
  expect((await store.read([key], patient))[0]?.value).toBe(publication.value)
}

test('a session of its own prepares each statement once', async () => {
  const { store, prepared } = open(server.url)
  for (const key of ['one', 'two', 'three']) await renew(store, key)
  expect((await prepared()).map((statement) => /\.(\w+)\(/.exec(statement)?.[1])).toEqual(['claim', 'publish', 'read'])
})

test('a session that somebody lets forget goes on without', async () => {
  const { pool, store, prepared } = open(server.url)
  for (const key of ['four', 'five']) await renew(store, key)
  expect(await prepared()).not.toEqual([])
  await pool.query('deallocate all')
  for (const key of ['six', 'seven']) await renew(store, key)
  expect(await prepared()).toEqual([])
})

test('a session that has the names from somebody before goes on without', async () => {
  const { pool, store, prepared } = open(server.url)
  const client = await pool.connect()
  const before = open(server.url)
  for (const key of ['eleven', 'twelve']) await renew(before.store, key)
  const { rows } = await before.pool.query<{ name: string; statement: string }>('select name, statement from pg_prepared_statements')
  // As where a pooler gives a session to one client after the other, with the number of its process.
  for (const { name, statement } of rows) await client.query(`prepare "${name}" as ${statement}`)
  client.release()
  for (const key of ['thirteen', 'fourteen']) await renew(store, key)
  expect(await prepared()).toHaveLength(rows.length)
})

test('behind a pooler nothing is prepared', async () => {
  const { store, prepared } = open(pgbouncer.url)
  for (const key of ['eight', 'nine', 'ten']) await renew(store, key)
  expect(await prepared()).toEqual([])
})
