import { migrationSql, postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import type { Pool, PoolConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Migration, migrations } from '../src/migrations.ts'
import { names as namesOf } from '../src/names.ts'
import { shipped, storeWith } from '../src/postgres-store.ts'
import { sources } from '../src/sources.ts'
import { type Statements, statementsOf } from '../src/statements.ts'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'

let server: PostgresServer
let admin: Pool
let databases = 0

beforeAll(async () => {
  server = await startPostgres()
  admin = connect(server.url)
}, 60_000)

afterAll(async () => {
  await admin.end()
  await server.stop()
})

/** A new database; pools for it. */
async function database(options = '') {
  const name = `database_${databases++}`
  await admin.query(`create database ${name} ${options}`)
  return (options: PoolConfig = {}) => {
    const pool = connect(server.url.replace(/postgres$/, name), options)
    onTestFinished(() => pool.end())
    return pool
  }
}

const applied = async (pool: Pool, schema = 'tokenwell') =>
  (await pool.query(`select id, lowest from "${schema}".migrations order by id`)).rows

const NAMES = [
  'public',
  'Upper',
  'with space',
  'quo"ted',
  "it's",
  'back\\slash',
  '{schema}',
  '{columns}',
  '$1',
  '$body$',
  '--',
  'é租户',
  'select',
  'x'.repeat(63),
]

test.each(NAMES)('the tables can be in a schema called %s', async (schema) => {
  const pool = connect(server.url)
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool, schema })
  onTestFinished(() => store.close())
  const changes: unknown[] = []
  await store.subscribe?.((change) => changes.push(change))
  expect((await store.publish('key', 'a', 5, publication, patient)).kind).toBe('accepted')
  expect((await store.read(['key'], patient))[0]?.version).toBe(5)
  await expect.poll(() => changes).toEqual([{ kind: 'changed', key: 'key', version: 5 }])
})

test('stores of different schemas never see each other', async () => {
  const pool = (await database())()
  const [one, two] = [postgresStore({ pool, schema: 'one' }), postgresStore({ pool, schema: 'two' })]
  onTestFinished(() => two.close())
  const changes: unknown[] = []
  await two.subscribe?.((change) => changes.push(change))
  await one.publish('key', 'a', 5, publication, patient)
  expect((await two.read(['key'], patient))[0]?.version).toBe(0)
  await two.publish('key', 'b', 6, publication, patient)
  await expect.poll(() => changes).toEqual([{ kind: 'changed', key: 'key', version: 6 }])
})

test('the search path of a session does not matter', async () => {
  const open = await database()
  const store = postgresStore({ pool: open({ options: '-c search_path=pg_temp' }) })
  expect((await store.claim('key', 'a', claim, patient)).kind).toBe('granted')
  await open().query('create table public.records (id bytea)')
  const other = postgresStore({ pool: open({ options: '-c search_path=public' }) })
  expect((await other.claim('key', 'b', claim, patient)).kind).toBe('held')
})

test('functions of the same names that somebody has added to the schema are not called', async () => {
  const pool = (await database())()
  const store = postgresStore({ pool, schema: 'public' })
  await store.read(['key'], patient)
  const others = { read: 1, claim: 6, publish: 9, settle: 6, invalidate: 2, reply_of: 3, remaining: 3 }
  for (const [name, length] of Object.entries(others)) {
    const text = Array(length).fill('text').join(', ')
    await pool.query(`create function public.${name}(${text}) returns text language plpgsql as $$ begin raise 'called'; end $$`)
  }
  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  await store.settle('key', 'a', fence, { backoffMs: 0 }, patient)
  expect((await store.publish('key', 'a', fence, publication, patient)).kind).toBe('accepted')
  expect((await store.invalidate('key', fence, patient)).rejectedUpTo).toBe(fence)
  expect((await store.read(['key'], patient))[0]?.value).toBe(publication.value)
})

test('ten nodes that start at once on an empty database all work', async () => {
  const open = await database()
  const pools = Array.from({ length: 10 }, () => open())
  await Promise.all(pools.map((pool) => pool.query('select 1')))
  const claims = await Promise.all(pools.map((pool, node) => postgresStore({ pool }).claim('key', `node ${node}`, claim, patient)))
  expect(claims.map(({ kind }) => kind).sort()).toEqual(['granted', ...Array(9).fill('held')])
  expect(await applied(open())).toEqual([{ id: 1, lowest: 1 }])
})

test('ten nodes that start at once with a newer version all work', async () => {
  const open = await database()
  await postgresStore({ pool: open() }).claim('key', 'before', { ...claim, leaseMs: 0.001 }, patient)
  const newer = [...migrations, ...[2, 3, 4].map((id) => migration(id, 1))]
  const pools = Array.from({ length: 10 }, () => open())
  await Promise.all(pools.map((pool) => pool.query('select 1')))
  const claims = await Promise.all(
    pools.map((pool, node) => storeWith({ ...shipped, migrations: newer }, { pool }).claim('key', `node ${node}`, claim, patient)),
  )
  expect(claims.map(({ kind }) => kind).sort()).toEqual(['granted', ...Array(9).fill('held')])
  expect((await applied(open())).map(({ id }) => id)).toEqual([1, 2, 3, 4])
})

test('an older node works on while newer ones migrate', async () => {
  const open = await database()
  const older = postgresStore({ pool: open() })
  let isMigrated = false
  const work = async () => {
    for (let version = 1; !isMigrated || version < 20; version++) {
      expect((await older.publish('key', `attempt ${version}`, version, publication, patient)).kind).toBe('accepted')
    }
  }
  const working = work()
  const newer = [...migrations, ...[2, 3, 4].map((id) => migration(id, 1))]
  await Promise.all(Array.from({ length: 10 }, () => storeWith({ ...shipped, migrations: newer }, { pool: open() }).read(['key'], patient)))
  isMigrated = true
  await working
  expect((await applied(open())).map(({ id }) => id)).toEqual([1, 2, 3, 4])
})

test('a column that a migration adds may be called like anything in a function', async () => {
  const pool = (await database())()
  const store = postgresStore({ pool })
  await store.read(['key'], patient)
  const names = [
    ...Object.values(sources)
      .join('\n')
      .matchAll(/^ {2}(\w+) (?:bytea|bigint|text|boolean)\b/gm),
  ].map(([, name]) => name)
  expect(names).toContain('digest')
  const columns = [...new Set([...names, 'attempt', 'length', 'based_on', 'seen', 's', 'r'])]
  const { rows } = await pool.query(`select column_name from information_schema.columns where table_name = 'records'`)
  const added = columns.filter((name) => !rows.some((row) => row.column_name === name))
  await pool.query(`alter table tokenwell.records ${added.map((name) => `add column ${name} text`).join(', ')}`)
  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  expect((await store.settle('key', 'a', fence, { backoffMs: 5 }, patient)).backoff?.failures).toBe(1)
  expect((await store.publish('key', 'a', fence, publication, patient)).kind).toBe('accepted')
  expect((await store.invalidate('key', fence, patient)).rejectedUpTo).toBe(fence)
  await pool.query(statementsOf(namesOf('tokenwell')).collect, [Buffer.alloc(32)])
})

test('a column that is gone while a store works is made again by the operation after the one that missed it', async () => {
  const pool = (await database())()
  const novelty = [...migrations, migration(2, 1)]
  const store = storeWith({ ...shipped, migrations: novelty, statements: (names) => withNovelty(shipped.statements(names)) }, { pool })
  await store.read(['key'], patient)
  // As on a standby that took over before it had heard of the migration.
  await pool.query('alter table tokenwell.records drop column novelty_2; delete from tokenwell.migrations where id = 2')
  await expect(store.read(['key'], patient)).rejects.toThrow(/"?novelty_2"? does not exist/)
  expect(await store.read(['key'], patient)).toHaveLength(1)
})

test("somebody else's table of migrations is left as it is", async () => {
  const pool = (await database())()
  await pool.query('create table public.migrations (name text)')
  await expect(postgresStore({ pool, schema: 'public' }).read(['key'], patient)).rejects.toThrow(/the tables of the store are not as this/)
  const { rows } = await pool.query("select table_name, column_name from information_schema.columns where table_schema = 'public'")
  expect(rows).toEqual([{ table_name: 'migrations', column_name: 'name' }])
})

test('a schema that is gone while a store works is made again by the operation after the one that missed it', async () => {
  const pool = (await database())()
  const store = postgresStore({ pool })
  await store.publish('key', 'a', 5, publication, patient)
  await pool.query('drop schema tokenwell cascade')
  await expect(store.read(['key'], patient)).rejects.toThrow(/does not exist \(the tables of the store are not/)
  expect((await store.claim('key', 'b', claim, patient)).kind).toBe('granted')
})

/** Reading that needs the column of migration 2. */
const withNovelty = ({ read, ...others }: Statements) => ({
  ...others,
  read: read.replace(/ (.*)\.read/, ' (select count(novelty_2) from $1.records), $1.read'),
})

/** A migration that fails where it is applied twice. */
function migration(id: number, lowest: number): Migration {
  return { id, lowest, sources: [`alter table {schema}.records add column novelty_${id} integer`] }
}

describe('a program and a schema of different versions', () => {
  const storeOf = (pool: Pool, known: readonly Migration[], migrate = true) =>
    storeWith({ ...shipped, migrations: known }, { pool, migrate })

  test('an older program works on with a newer schema that allows it', async () => {
    const pool = (await database())()
    await storeOf(pool, [...migrations, migration(2, 1)]).publish('key', 'a', 5, publication, patient)
    expect((await postgresStore({ pool }).read(['key'], patient))[0]?.version).toBe(5)
    expect((await postgresStore({ pool }).publish('key', 'b', 6, publication, patient)).kind).toBe('accepted')
  })

  test('an older program that the schema does not allow says so and touches nothing', async () => {
    const pool = (await database())()
    await storeOf(pool, [...migrations, migration(2, 1), migration(3, 2)]).publish('key', 'a', 5, publication, patient)
    const refused =
      /^the schema "tokenwell" is at migration 3 and needs a program that knows migration 2; .* knows 1: update it on this node/
    await expect(postgresStore({ pool }).publish('key', 'b', 6, publication, patient)).rejects.toThrow(refused)
    await expect(postgresStore({ pool, migrate: false }).read(['key'], patient)).rejects.toThrow(refused)
    expect((await pool.query('select version from tokenwell.records')).rows).toEqual([{ version: '5' }])
  })

  test('without leave to migrate, what is missing is said', async () => {
    const pool = (await database())()
    const store = postgresStore({ pool, migrate: false })
    await expect(store.read(['key'], patient)).rejects.toThrow(
      /^the schema "tokenwell" lacks migration 1 of @tokenwell\/store-postgres: run/,
    )
    await pool.query(migrationSql())
    expect((await store.read(['key'], patient))[0]?.version).toBe(0)
    const newer = storeOf(pool, [...migrations, migration(2, 1), migration(3, 1)], false)
    await expect(newer.read(['key'], patient)).rejects.toThrow('lacks migration 2, 3 of')
  })

  test('a migration that failed has left nothing, and is tried again by the next operation', async () => {
    const pool = (await database())()
    await pool.query(migrationSql())
    const store = storeOf(pool, [...migrations, migration(2, 1), { id: 3, lowest: 1, sources: ['select * from {schema}.later'] }])
    await expect(store.read(['key'], patient)).rejects.toThrow(/relation "tokenwell.later" does not exist/)
    expect((await applied(pool)).map(({ id }) => id)).toEqual([1, 2])
    await pool.query('create table tokenwell.later ()')
    expect((await store.read(['key'], patient))[0]?.version).toBe(0)
    expect((await applied(pool)).map(({ id }) => id)).toEqual([1, 2, 3])
  })
})

test('the printed statements make what the store makes, and may be run again', async () => {
  const [byHand, byStore] = [(await database())(), (await database())()]
  for (const _ of [1, 2]) await byHand.query(migrationSql({ schema: 'some "where"' }))
  await postgresStore({ pool: byStore, schema: 'some "where"' }).read(['key'], patient)
  const columns = async (pool: Pool) =>
    (
      await pool.query(
        'select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = \'some "where"\' order by 1, 2',
      )
    ).rows
  expect((await columns(byHand)).length).toBeGreaterThan(20)
  expect(await columns(byHand)).toEqual(await columns(byStore))
  expect(await applied(byHand, 'some ""where""')).toEqual([{ id: 1, lowest: 1 }])
  expect(() => migrationSql({ schema: '' })).toThrow(/^schema: expected a name/)
})

test('wherever the printed statements were left off, a store goes on', async () => {
  const statements = migrationSql().split(/(?<=;\n)\n/)
  expect(statements.length).toBeGreaterThan(3)
  for (let run = 0; run < statements.length; run++) {
    const pool = (await database())()
    for (const statement of statements.slice(0, run)) await pool.query(statement)
    expect((await postgresStore({ pool }).read(['key'], patient))[0]?.version).toBe(0)
  }
})

test('operations do not wait longer than they may for tables that somebody locks', async () => {
  const open = await database()
  const [pool, holder] = [open(), await open().connect()]
  onTestFinished(() => holder.release())
  await pool.query(migrationSql())
  await holder.query('begin; lock tokenwell.migrations')
  const store = postgresStore({ pool })
  await expect(store.read(['key'], { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/)
  const later = store.read(['key'], patient)
  await holder.query('rollback')
  expect(await later).toHaveLength(1)
})

test('a database of another encoding than UTF-8 takes everything it has characters for', async () => {
  const open = await database("encoding 'LATIN1' template template0 locale 'C'")
  await open().query(migrationSql({ schema: 'by hand' }))
  const store = postgresStore({ pool: open() })
  expect((await store.publish('clé', 'a', 5, { ...publication, value: 'é "\\\n' }, patient)).kind).toBe('accepted')
  expect((await store.read(['clé'], patient))[0]?.value).toBe('é "\\\n')
})
