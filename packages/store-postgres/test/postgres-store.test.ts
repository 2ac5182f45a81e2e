import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import pg, { type Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { names } from '../src/names.ts'
import { withClient } from '../src/session.ts'
import { statementsOf } from '../src/statements.ts'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'

const DAY_MICROSECONDS = 86_400_000_000

let server: PostgresServer
let admin: Pool
let schemas = 0

beforeAll(async () => {
  server = await startPostgres()
  admin = connect(server.url)
}, 60_000)

afterAll(async () => {
  await admin.end()
  await server.stop()
})

function open(options: PoolConfig = {}) {
  const schema = `schema_${schemas++}`
  const pool = connect(server.url, options)
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool, schema })
  onTestFinished(() => store.close())
  return { schema, pool, store }
}

test('wrong options are named', async () => {
  const given = (options: unknown) => () => postgresStore(options as Parameters<typeof postgresStore>[0])
  const pool = connect(server.url)
  expect(given({})).toThrow('pool: expected a Pool of pg, got undefined')
  expect(given({ pool: null })).toThrow('pool: expected a Pool of pg, got null')
  expect(given({ pool: server.url })).toThrow('pool: expected a Pool of pg, got string')
  expect(given({ pool: new pg.Client() })).toThrow('pool: expected a Pool of pg, got object')
  for (const schema of ['', 7, 'x'.repeat(64), '租'.repeat(22), 'nul\0', '\ud800']) {
    expect(given({ pool, schema })).toThrow(/^schema: expected a name of 1 to 63 bytes, got /)
  }
  expect(given({ pool, schema: { password: 'hidden' } })).toThrow(/^schema: expected a name of 1 to 63 bytes, got object$/)
  expect(given({ pool, listen: 7 })).toThrow(/^listen: expected true, false, a connection string or/)
  expect(given({ pool, listen: null })).toThrow(/^listen: expected/)
  expect(given({ pool, migrate: 'no' })).toThrow('migrate: expected true or false, got string')
  await pool.end()
})

test('a closed store refuses operations, and has left the pool open', async () => {
  const { pool, store } = open()
  await store.read(['key'], patient)
  await store.close()
  await expect(store.read(['key'], patient)).rejects.toThrow('the store has been closed')
  await expect(store.claim('key', 'a', claim, patient)).rejects.toThrow('the store has been closed')
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('who has given up before it asks for a client waits for none', async () => {
  const { pool } = open({ max: 1 })
  const taken = await pool.connect()
  const reason = new Error('given up')
  await expect(withClient(pool, AbortSignal.abort(reason), async () => {})).rejects.toBe(reason)
  taken.release()
})

test('who has given up while it waited for a client leaves it in the pool', async () => {
  const { pool } = open({ max: 1 })
  const taken = await pool.connect()
  const giving = new AbortController()
  const reason = new Error('given up')
  const waiting = withClient(pool, giving.signal, async () => {})
  giving.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  taken.release()
  await pool.query('select 1')
  expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
})

test('what throws while it has a client, and a client that cannot be given back, is told to whoever asked', async () => {
  const { pool } = open({ max: 1 })
  const { signal } = new AbortController()
  const thrown = new Error('at once')
  const throwing = () => {
    throw thrown
  }
  await expect(withClient(pool, signal, throwing)).rejects.toBe(thrown)
  expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
  await expect(withClient(pool, signal, async (client) => client.release())).rejects.toThrow('already been released')
})

test('callers who wait for the same client each go on as themselves', async () => {
  const { pool } = open({ max: 1 })
  const caller = new AsyncLocalStorage<string>()
  const { signal } = new AbortController()
  const seen = ['one', 'two', 'three'].map((name) => caller.run(name, () => withClient(pool, signal, async () => caller.getStore())))
  expect(await Promise.all(seen)).toEqual(['one', 'two', 'three'])
})

test.each([
  ['an object, as no version makes it', `'{"version": 1}'`],
  ['too few numbers', `'[[null, null, null], [1, 2]]'`],
  ['no texts', `'["SECRET", "SECRET"]'`],
])('a function that replies %s is named, and nothing of the reply', async (_, reply) => {
  const { schema, store } = open()
  await store.read(['key'], patient)
  const settle = `create or replace function ${schema}.settle(key text, attempt text, fence bigint, backoff bigint, failure text, config text)`
  await admin.query(`${settle} returns text language sql as $$ select ${reply} $$`)
  await expect(store.settle('key', 'a', 1, { backoffMs: 0 }, patient)).rejects.toThrow(/^a function of the schema replied something else/)
})

test('parsers that the pool has for its own purposes do not matter', async () => {
  const odd = { getTypeParser: (oid: number) => (oid === 25 ? String : () => 'parsed') } as unknown as NonNullable<PoolConfig['types']>
  const { store } = open({ types: odd })
  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  const { snapshot } = await store.publish('key', 'a', fence, publication, patient)
  expect(snapshot).toMatchObject({ version: fence, value: 'a token', rejectedUpTo: 0 })
})

test('text that would not come back as it is is refused', async () => {
  const { store } = open()
  for (const text of ['half \ud800', 'nul \0']) {
    await expect(store.publish('key', 'a', 5, { ...publication, value: text }, patient)).rejects.toThrow(/^value: expected well-formed/)
    await expect(store.claim(text, 'a', claim, patient)).rejects.toThrow(TypeError)
    await expect(store.read([text], patient)).rejects.toThrow(TypeError)
  }
  expect((await store.read(['key'], patient))[0]?.version).toBe(0)
})

test('a key of 1,000 characters that nothing can compress is a key', async () => {
  const { store } = open()
  const key = Array.from({ length: 1000 }, (_, index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join('')
  await store.publish(key, 'a', 5, publication, patient)
  expect((await store.read([key, key.slice(1)], patient)).map(({ version }) => version)).toEqual([5, 0])
})

test('a fence that is no safe integer is refused by name, and changes nothing', async () => {
  const { store } = open()
  await store.publish('key', 'a', 5, publication, patient)
  const refused = store.claim('key', 'b', { ...claim, seen: Number.MAX_SAFE_INTEGER }, patient)
  await expect(refused).rejects.toThrow('the fence to grant is no safe integer')
  expect((await store.read(['key'], patient))[0]).toMatchObject({ version: 5 })
})

test('settling what nobody knows makes no record', async () => {
  const { schema, store } = open()
  expect(await store.settle('key', 'a', 5, { backoffMs: 5 }, patient)).toEqual({
    key: 'key',
    version: 0,
    renewInMs: 0,
    expiresInMs: 0,
    rejectedUpTo: 0,
  })
  expect((await admin.query(`select from ${schema}.records`)).rows).toEqual([])
})

test('no error shows a value, nor a password', async () => {
  const value = randomSecret('a published value')
  const password = randomSecret('a password')
  const { schema, store } = open()
  await store.read(['key'], patient)
  await admin.query(`alter table ${schema}.records add constraint short check (length(value) < 5)`)
  const refused = store.publish('key', 'a', 5, { ...publication, value }, patient)
  await expect(refused).rejects.toThrow()
  await expect(refused).rejects.toSatisfy((error) => record('error', error))
  await admin.query(`drop table ${schema}.records cascade`)
  const missing = store.publish('key', 'a', 5, { ...publication, value }, patient)
  await expect(missing).rejects.toThrow(/"?records"? does not exist \(the tables of the store are not as this version/)
  await expect(missing).rejects.toSatisfy((error) => record('error', error))
  const cutting = { getTypeParser: () => (text: string) => text.slice(0, text.indexOf(value) + value.length) }
  const cut = open({ types: cutting as unknown as NonNullable<PoolConfig['types']> })
  await postgresStore({ pool: admin, schema: cut.schema }).publish('key', 'a', 5, { ...publication, value }, patient)
  const illegible = cut.store.read(['key'], patient)
  await expect(illegible).rejects.toThrow('PostgreSQL replied what is no JSON')
  await expect(illegible).rejects.toSatisfy((error) => record('error', error))
  const nowhere = connect(`postgres://nobody:${password}@127.0.0.1:1/postgres`)
  const unreachable = postgresStore({ pool: nowhere })
  await expect(unreachable.read(['key'], patient)).rejects.toSatisfy((error) => record('error', error))
  await expect(unreachable.subscribe?.(() => {})).rejects.toSatisfy((error) => record('error', error))
  await nowhere.end()
})

test('an update stays on its page: indexes are not touched', async () => {
  const { schema, pool, store } = open({ max: 1 })
  for (let round = 1; round <= 100; round++) {
    await store.publish(`key ${round % 3}`, `attempt ${round}`, round, { ...publication, value: 'x'.repeat(400) }, patient)
  }
  const statistics = async () => {
    await pool.query('select pg_stat_force_next_flush()')
    await admin.query('select pg_stat_clear_snapshot()')
    const { rows } = await admin.query(
      `select n_tup_upd::int as updates, n_tup_hot_upd::int as hot from pg_stat_user_tables where schemaname = $1 and relname = 'records'`,
      [schema],
    )
    return rows[0]
  }
  await expect.poll(async () => (await statistics()).updates, { timeout: 10_000 }).toBe(97)
  expect((await statistics()).hot).toBeGreaterThan(90)
})

test('what changes nothing writes nothing, and waits for nobody', async () => {
  const { schema, store } = open()
  const granted = await store.claim('leased', 'a', claim, patient)
  const failed = await store.claim('failed', 'a', claim, patient)
  await store.settle('failed', 'a', failed.kind === 'granted' ? failed.fence : 0, { backoffMs: 60_000, failure: 'refused' }, patient)
  await store.publish('published', 'a', Date.now() * 1000, { ...publication, quietMs: 60_000 }, patient)
  const { version } = (await store.read(['published'], patient))[0] ?? {}
  const rows = async () => (await admin.query(`select key, ctid, xmin, xmax from ${schema}.records order by key`)).rows
  const before = await rows()
  const holder = await admin.connect()
  await holder.query(`begin; select from ${schema}.records for update`)
  expect((await store.claim('leased', 'b', claim, patient)).kind).toBe('held')
  expect(await store.claim('leased', 'a', claim, patient)).toMatchObject({
    kind: 'granted',
    fence: granted.kind === 'granted' && granted.fence,
  })
  expect((await store.claim('failed', 'b', claim, patient)).kind).toBe('backoff')
  expect((await store.claim('published', 'b', claim, patient)).kind).toBe('fresh')
  for (const rejected of [1, version ?? 0]) expect((await store.invalidate('published', rejected, patient)).rejectedUpTo).toBe(0)
  expect((await store.publish('published', 'a', version ?? 0, publication, patient)).kind).toBe('accepted')
  expect((await store.publish('published', 'b', 1, publication, patient)).kind).toBe('superseded')
  const ahead = { ...publication, maxAheadMs: 1_000 }
  expect((await store.publish('published', 'b', (Date.now() + 60_000) * 1000, ahead, patient)).kind).toBe('refused')
  await holder.query('rollback')
  holder.release()
  const locked = (row: { readonly xmax: string }) => ({ ...row, xmax: undefined })
  expect((await rows()).map(locked)).toEqual(before.map(locked))
})

test('a large value is not written again by operations that leave it as it is', async () => {
  const { schema, store } = open()
  const value = randomBytes(48 * 1024).toString('base64')
  await store.publish('key', 'a', 5, { ...publication, value }, patient)
  const stored = async () => {
    const { rows } = await admin.query(
      `select pg_table_size(reltoastrelid)::int as bytes from pg_class where oid = '${schema}.records'::regclass`,
    )
    return rows[0].bytes
  }
  const before = await stored()
  expect(before).toBeGreaterThan(48 * 1024)
  for (let round = 0; round < 20; round++) {
    await store.claim('key', `attempt ${round}`, { ...claim, leaseMs: 0.001, rejected: 5 }, patient)
    await store.publish('key', 'late', 4, publication, patient)
    await store.invalidate('key', 6 + round, patient)
  }
  expect(await stored()).toBe(before)
  expect((await store.read(['key'], patient))[0]?.value).toBe(value)
})

test('records are forgotten when everything in them was over 90 days ago, and not before', async () => {
  const { schema, store } = open()
  const age = (key: string, days: number) =>
    admin.query(
      `update ${schema}.records set changed_at = changed_at - $2, expires_at = expires_at - $2, lease_until = lease_until - $2, retry_at = retry_at - $2 where key = $1`,
      [key, days * DAY_MICROSECONDS],
    )
  await store.invalidate('rejected, 91 days', 5, patient)
  await store.invalidate('rejected, 89 days', 5, patient)
  await store.publish('published, 91 days', 'a', 5, { ...publication, expiresInMs: 1 }, patient)
  await store.publish('ends in 10 years', 'a', Date.now() * 1000, { ...publication, expiresInMs: 3652 * 86_400_000 }, patient)
  await store.claim('leased, 91 days', 'a', claim, patient)
  for (const key of ['rejected, 91 days', 'published, 91 days', 'ends in 10 years', 'leased, 91 days']) await age(key, 91)
  await age('rejected, 89 days', 89)
  const { collect } = statementsOf(names(schema))
  const left = async () => (await admin.query<{ key: string }>(`select key from ${schema}.records order by key`)).rows.map(({ key }) => key)
  await admin.query(collect, [Buffer.alloc(32, 0xff)])
  expect(await left()).toHaveLength(5)
  await admin.query(collect, [Buffer.alloc(32)])
  expect(await left()).toEqual(['ends in 10 years', 'rejected, 89 days'])
})

test('publications forget old records by and by', async () => {
  const { schema, store } = open()
  await store.invalidate('old', 5, patient)
  await admin.query(`update ${schema}.records set changed_at = 0, id = '\\xff'`)
  let version = Date.now() * 1000
  const isGone = async () => {
    version += 1
    await store.publish('key', `attempt ${version}`, version, publication, patient)
    return (await admin.query(`select from ${schema}.records where key = 'old'`)).rows.length === 0
  }
  await expect.poll(isGone, { interval: 1, timeout: 15_000 }).toBe(true)
})

test.each(['insert', 'update'])('where a trigger swallows each %s, what would write fails at once', async (event) => {
  const { schema, pool, store } = open({ statement_timeout: 2_000 })
  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  await store.publish('key', 'a', fence + 1, publication, patient)
  await pool.query(`create function ${schema}.swallow() returns trigger language plpgsql as 'begin return null; end'`)
  await pool.query(`create trigger swallow before ${event} on ${schema}.records for each row execute function ${schema}.swallow()`)
  const key = event === 'insert' ? 'new' : 'key'
  await expect(store.publish(key, 'c', fence + 2, publication, patient)).rejects.toThrow(/^nothing was written: do other triggers/)
  await expect(store.invalidate(key, fence + 3, patient)).rejects.toThrow(/^nothing was written/)
  await expect(store.claim(key, 'a late one', { ...claim, seen: fence + 4 }, patient)).rejects.toThrow(/^nothing was written/)
})

test('plans that were made while there was one record do for many', async () => {
  const { schema, pool, store } = open({ max: 1 })
  const { collect } = statementsOf(names(schema))
  await store.invalidate('first', 1, patient)
  await admin.query(`vacuum analyze ${schema}.records`)
  const every = async (key: string) => {
    await store.read([key], patient)
    await store.claim(key, 'a', claim, patient)
    await store.settle(key, 'b', 1, { backoffMs: 0 }, patient)
    await store.publish(key, 'a', 1, publication, patient)
    await store.invalidate(key, 2, patient)
    await pool.query(collect, [Buffer.alloc(32)])
  }
  // So often that a plan is kept.
  for (let round = 0; round < 10; round++) await every('first')
  const scans = async () => {
    await pool.query('select pg_stat_force_next_flush()')
    await pool.query('select pg_stat_clear_snapshot()')
    const { rows } = await pool.query('select seq_tup_read::int as read from pg_stat_user_tables where schemaname = $1 and relname = $2', [
      schema,
      'records',
    ])
    return rows[0].read
  }
  const many = `insert into ${schema}.records (id, key, changed_at) select sha256(n::text::bytea), n::text, 1e17 from generate_series(1, 3000) as n`
  await admin.query(many)
  const before = await scans()
  await every('last')
  expect(await scans()).toBe(before)
})
