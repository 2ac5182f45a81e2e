import { postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPostgres, startPostgresReplica, startProxy } from '@tokenwell/test-servers'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'
import { startRelay, uncaughtErrors } from './support/relay.ts'

const DEADLINE_MS = 100

let server: PostgresServer
let admin: Pool

beforeAll(async () => {
  server = await startPostgres({ settings: { max_connections: '30', superuser_reserved_connections: '3' } })
  admin = connect(server.url)
}, 60_000)

beforeEach(async () => {
  await admin.query('drop schema if exists tokenwell cascade')
})

afterAll(async () => {
  await admin.end()
  await server.stop()
})

async function open(options: PoolConfig = {}) {
  const pool = connect(server.url, options)
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool })
  onTestFinished(() => store.close())
  await store.publish('warm', 'a', 7, publication, patient)
  return { pool, store }
}

type Store = Awaited<ReturnType<typeof open>>['store']

/** Every operation, each with a deadline of its own, must be given up with the reason of its signal. */
async function expectDeadlines(store: Store): Promise<void> {
  const soon = () => ({ signal: AbortSignal.timeout(DEADLINE_MS) })
  const calls = [
    store.read(['key', 'warm'], soon()),
    store.claim('warm', 'late', { ...claim, seen: 8 }, soon()),
    store.publish('warm', 'late', 8, publication, soon()),
    store.settle('warm', 'late', 8, { backoffMs: 0 }, soon()),
    store.invalidate('warm', 7, soon()),
  ]
  const started = performance.now()
  const outcomes = await Promise.allSettled(calls)
  expect(performance.now() - started).toBeLessThan(20 * DEADLINE_MS)
  expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.name)).toEqual(Array(calls.length).fill('TimeoutError'))
}

const others = async (what: string) =>
  (await admin.query(`select ${what} from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`)).rows

test('while somebody locks the table, calls end by their deadline, and what was given up is harmless', async () => {
  const { store } = await open()
  const holder = await admin.connect()
  await holder.query('begin; lock tokenwell.records')
  await expectDeadlines(store)
  await holder.query('rollback')
  holder.release()
  expect(['granted', 'fresh', 'held']).toContain((await store.claim('warm', 'late', claim, patient)).kind)
})

test('while somebody else has all of the pool, calls end by their deadline, and nothing of them is sent later', async () => {
  const { pool, store } = await open({ max: 2 })
  const taken = [await pool.connect(), await pool.connect()]
  await expectDeadlines(store)
  for (const client of taken) client.release()
  expect((await store.read(['warm'], patient))[0]).toMatchObject({ version: 7, rejectedUpTo: 0 })
  expect([pool.totalCount, pool.waitingCount]).toEqual([2, 0])
})

test('a connection that still has no answer 10 s after its call was given up is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { pool, store } = await open({ max: 1 })
  const holder = await admin.connect()
  await holder.query('begin; lock tokenwell.records')
  const controller = new AbortController()
  const read = store.read(['warm'], { signal: controller.signal })
  await expect.poll(() => others('wait_event_type')).toContainEqual({ wait_event_type: 'Lock' })
  controller.abort(new Error('given up'))
  await expect(read).rejects.toThrow('given up')
  await vi.advanceTimersByTimeAsync(9_999)
  expect(pool.totalCount).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(pool.totalCount).toBe(0)
  await holder.query('rollback')
  holder.release()
  expect((await store.read(['warm'], patient))[0]?.version).toBe(7)
})

test('after a timeout of the client itself its connection is not used again', async () => {
  const { pool, store } = await open({ max: 1, query_timeout: 1_000 })
  const holder = await admin.connect()
  await holder.query('begin; lock tokenwell.records')
  await expect(store.read(['warm'], patient)).rejects.toThrow('Query read timeout')
  expect(pool.totalCount).toBe(0)
  await holder.query('rollback')
  holder.release()
  expect((await store.read(['warm'], patient))[0]?.version).toBe(7)
})

test('while the server is frozen, calls end by their deadline', async () => {
  const { store } = await open()
  server.pause()
  await expectDeadlines(store).finally(() => server.resume())
  expect((await store.read(['key'], patient))[0]?.version).toBe(0)
})

test('a server that was gone and is back is used again', async () => {
  const { store } = await open()
  await server.kill()
  await expect(store.read(['warm'], patient)).rejects.toThrow(/ECONNREFUSED|terminated/)
  await server.restart()
  expect((await store.read(['warm'], patient))[0]?.version).toBe(7)
})

test('the end of idle connections neither ends the process nor fails the next call', async () => {
  const pool = new Pool({ connectionString: server.url })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool })
  expect(pool.listenerCount('error')).toBe(1)
  await Promise.all(Array.from({ length: 5 }, () => store.read(['key'], patient)))
  await others('pg_terminate_backend(pid)')
  expect((await store.claim('key', 'a', claim, patient)).kind).toBe('granted')
})

test('a connection that ends with the very packet that opens it does not end the process', async () => {
  const relay = await startRelay(server.port)
  onTestFinished(() => relay.stop())
  const uncaught = uncaughtErrors()
  onTestFinished(() => uncaught.stop())
  const url = server.url.replace(String(server.port), String(relay.port))
  const pool = connect(url, { options: '-c idle_session_timeout=1' })
  onTestFinished(() => pool.end())
  await expect(postgresStore({ pool }).read(['key'], patient)).rejects.toThrow(/not queryable|terminat/)
  expect(uncaught.errors).toEqual([])
})

test('a session that ended because it was idle, just before it was used, is replaced', async () => {
  const { store } = await open({ max: 1, options: '-c idle_session_timeout=20' })
  for (let round = 0; round < 5; round++) {
    const over = performance.now() + 60
    // A process that is busy does not hear of the end before it sends the next statement.
    while (performance.now() < over);
    expect((await store.read(['warm'], patient))[0]?.version).toBe(7)
  }
})

test('a listener of errors that the pool has already is left alone', async () => {
  const pool = connect(server.url)
  onTestFinished(() => pool.end())
  postgresStore({ pool })
  expect(pool.listenerCount('error')).toBe(1)
})

test('a statement whose connection is lost is sent again, with the same outcome', async () => {
  const { store } = await open()
  const holder = await admin.connect()
  onTestFinished(() => holder.release())
  await holder.query('begin; update tokenwell.records set changed_at = changed_at')
  const published = store.publish('warm', 'b', 8, publication, patient)
  await expect.poll(() => others('wait_event_type'), { interval: 5 }).toContainEqual({ wait_event_type: 'Lock' })
  await others("case when wait_event_type = 'Lock' then pg_terminate_backend(pid) end")
  await holder.query('commit')
  expect(await published).toMatchObject({ kind: 'accepted', snapshot: { version: 8 } })
})

test('a server without a connection left is said so', async () => {
  const crowd = Array.from({ length: 40 }, () => connect(server.url, { max: 1 }))
  const taken = await Promise.allSettled(crowd.map((pool) => pool.connect()))
  const late = connect(server.url)
  onTestFinished(() => late.end())
  const store = postgresStore({ pool: late })
  await expect(store.read(['key'], patient)).rejects.toThrow(
    /too many clients already \(the server has no connection left: make pools smaller/,
  )
  for (const each of taken) if (each.status === 'fulfilled') each.value.release()
  await Promise.all(crowd.map((pool) => pool.end()))
  const freed = () => store.read(['key'], patient).then((snapshots) => snapshots.length, String)
  await expect.poll(freed).toBe(1)
})

test('a closed pool is named as the reason', async () => {
  const pool = connect(server.url)
  const store = postgresStore({ pool })
  await pool.end()
  await expect(store.read(['key'], patient)).rejects.toThrow('Cannot use a pool after calling end on the pool')
})

test('a session that is read-only by default is said so', async () => {
  await open()
  const pool = connect(server.url, { options: '-c default_transaction_read_only=on' })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool })
  expect((await store.read(['warm'], patient))[0]?.version).toBe(7)
  await expect(store.claim('key', 'a', claim, patient)).rejects.toThrow(/read-only transaction \(the pool is connected to a standby or/)
})

test('a standby answers reads and says why it takes no writes; promoted, it goes on with higher fences', async () => {
  const { store: primary } = await open()
  const replica = await startPostgresReplica(server)
  onTestFinished(() => replica.stop())
  const pool = connect(replica.url)
  onTestFinished(() => pool.end())
  const standby = postgresStore({ pool })
  const before = await primary.claim('key', 'before', { ...claim, leaseMs: 0.001 }, patient)
  const fence = before.kind === 'granted' ? before.fence : Number.POSITIVE_INFINITY
  await expect.poll(async () => (await standby.read(['warm'], patient))[0]?.version, { timeout: 10_000 }).toBe(7)
  await expect(standby.claim('key', 'a', claim, patient)).rejects.toThrow(/the pool is connected to a standby/)
  await replica.promote()
  const after = await standby.claim('key', 'after', claim, patient)
  expect(after.kind === 'granted' && after.fence).toBeGreaterThan(fence)
}, 60_000)

test('a connection to a standby is given up, so that the next one may lead to the primary', async () => {
  await open()
  const replica = await startPostgresReplica(server)
  onTestFinished(() => replica.stop())
  const proxy = await startProxy({ port: replica.port })
  onTestFinished(() => proxy.stop())
  const pool = connect(server.url.replace(String(server.port), String(proxy.port)), { max: 1 })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool })
  await expect.poll(async () => (await store.read(['warm'], patient))[0]?.version, { timeout: 10_000 }).toBe(7)
  proxy.redirect(server.port)
  await expect(store.claim('key', 'a', claim, patient)).rejects.toThrow(/the pool is connected to a standby/)
  expect((await store.claim('key', 'a', claim, patient)).kind).toBe('granted')
}, 60_000)
