import type { StoreChange, TokenStore } from '@tokenwell/core'
import { type PostgresStoreOptions, postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPgbouncer, startPostgres } from '@tokenwell/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'
import { startRelay, uncaughtErrors } from './support/relay.ts'

let server: PostgresServer
let admin: Pool
let version = Date.now() * 1000

beforeAll(async () => {
  server = await startPostgres()
  admin = connect(server.url)
}, 60_000)

afterAll(async () => {
  await admin.end()
  await server.stop()
})

function open({ url = server.url, max = 10, ...options }: Partial<PostgresStoreOptions> & { url?: string; max?: number } = {}) {
  const pool = connect(url, { max })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool, ...options })
  onTestFinished(() => store.close())
  return { pool, store }
}

const publish = async (store: TokenStore, key = 'key') => {
  version += 1
  await store.publish(key, `attempt ${version}`, version, publication, patient)
  return { kind: 'changed', key, version } as const
}

async function listen(store: TokenStore) {
  const changes: StoreChange[] = []
  const stop = (await store.subscribe?.((change) => changes.push(change))) ?? (async () => {})
  return { changes, stop }
}

const LISTENERS = "from pg_stat_activity where query like 'listen%' or query like '%pg_backend_pid%as pid' or query like '%pg_listening%'"
const listeners = async () => (await admin.query(`select 1 ${LISTENERS} and pid <> pg_backend_pid()`)).rows.length
const endListeners = () => admin.query(`select pg_terminate_backend(pid) ${LISTENERS} and pid <> pg_backend_pid()`)

test('a connection of its own exists only while somebody listens, and is none of the pool', async () => {
  const { pool, store } = open({ max: 1 })
  await store.read(['key'], patient)
  expect(await listeners()).toBe(0)
  const [one, two] = [await listen(store), await listen(store)]
  expect([await listeners(), pool.totalCount]).toEqual([1, 1])
  await one.stop()
  expect(await listeners()).toBe(1)
  await two.stop()
  await expect.poll(listeners).toBe(0)
  await listen(store)
  expect(await listeners()).toBe(1)
  await store.close()
  await expect.poll(listeners).toBe(0)
  await expect(listen(store)).rejects.toThrow('the store has been closed')
})

test('an idle subscription does not keep the process alive', async () => {
  const { pool, store } = open()
  const sockets = () => process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length
  await store.read(['key'], patient)
  const before = sockets()
  await listen(store)
  expect(sockets()).toBe(before)
  expect(pool.totalCount).toBe(1)
})

test('a connection that was lost is followed by a gap, once changes are heard again', async () => {
  const { store } = open()
  const { changes } = await listen(store)
  await endListeners()
  await expect.poll(() => changes, { timeout: 5_000 }).toEqual([{ kind: 'gap' }])
  const change = await publish(store)
  await expect.poll(() => changes).toEqual([{ kind: 'gap' }, change])
})

test('a server that was started again is heard again', async () => {
  const { store } = open()
  const { changes } = await listen(store)
  await server.restart()
  await expect.poll(() => changes, { timeout: 15_000 }).toContainEqual({ kind: 'gap' })
  const change = await publish(store)
  await expect.poll(() => changes).toContainEqual(change)
})

test('a connection that does not answer any more is replaced', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { store } = open()
  const { changes } = await listen(store)
  const sessions = async () => (await admin.query(`select pid ${LISTENERS} and pid <> pg_backend_pid()`)).rows
  const before = await sessions()
  // Answered in time, it stays.
  await vi.advanceTimersByTimeAsync(20_000)
  const asked = async () =>
    (await admin.query("select pid, state from pg_stat_activity where query like '%pg_listening_channels%as channel%'")).rows
  await expect.poll(asked).toContainEqual({ ...before[0], state: 'idle' })
  expect(changes).toEqual([])
  server.pause()
  await vi.advanceTimersByTimeAsync(20_000)
  await vi.advanceTimersByTimeAsync(5_000)
  server.resume()
  await vi.advanceTimersByTimeAsync(500)
  await expect.poll(() => changes).toEqual([{ kind: 'gap' }])
  const change = await publish(store)
  await expect.poll(() => changes).toEqual([{ kind: 'gap' }, change])
})

test('a server that is not there is said so', async () => {
  const { store } = open({ url: 'postgres://postgres@127.0.0.1:1/postgres' })
  await expect(listen(store)).rejects.toThrow(/ECONNREFUSED/)
})

test('a subscription to a frozen server ends when the store is closed', async () => {
  const { store } = open()
  server.pause()
  onTestFinished(() => server.resume())
  const subscribing = store.subscribe?.(() => {})
  await store.close()
  await expect(subscribing).rejects.toThrow('the subscription was ended before it began')
})

test('a store that does not listen says that it cannot', async () => {
  const { store } = open({ listen: false })
  expect([store.capabilities.push, store.subscribe]).toEqual([false, undefined])
  const { changes } = await listen(open().store)
  const change = await publish(store)
  await expect.poll(() => changes).toEqual([change])
})

test('a pool that is all taken can be listened beside', async () => {
  const { pool, store } = open({ max: 1 })
  const client = await pool.connect()
  await listen(store)
  client.release()
})

test('other keys come back as they were', async () => {
  const { store } = open()
  const { changes } = await listen(store)
  const expected: StoreChange[] = []
  for (const key of ['', 'a b', ' ', '5 6', "it's", '租户\n', '\u{10ffff}'.repeat(500)]) expected.push(await publish(store, key))
  await expect.poll(() => changes).toEqual(expected)
})

test('what somebody else says on the channel is not told', async () => {
  const { store } = open()
  const { changes } = await listen(store)
  for (const message of ['', 'hello', '5', 'x key', '-1 key', 'probe 7'])
    await admin.query('select pg_notify($1, $2)', ['tokenwell', message])
  const change = await publish(store)
  await expect.poll(() => changes).toEqual([change])
})

test('a pooler in transaction mode, which forgets who listens, is refused; one in session mode is heard', async () => {
  const pooler = await startPgbouncer({ upstream: server, poolMode: 'transaction' })
  onTestFinished(() => pooler.stop())
  const { store } = open({ url: pooler.url })
  await publish(store)
  await expect(listen(store)).rejects.toThrow(
    /^announcements do not come through: the connection goes through a pooler in transaction mode/,
  )
  const beside = await listen(open({ url: pooler.url, listen: server.url }).store)
  const change = await publish(store)
  await expect.poll(() => beside.changes).toEqual([change])
  const configured = await listen(open({ url: pooler.url, listen: { connectionString: server.url } }).store)
  const other = await publish(store)
  await expect.poll(() => configured.changes).toEqual([other])

  const sessions = await startPgbouncer({ upstream: server, poolMode: 'session' })
  onTestFinished(() => sessions.stop())
  const through = await listen(open({ url: sessions.url }).store)
  const last = await publish(store)
  await expect.poll(() => through.changes).toEqual([last])
})

test('a connection that is lost while it asks whether a pooler lets listen does not end the process', async () => {
  const pooler = await startPgbouncer({ upstream: server, poolMode: 'session' })
  onTestFinished(() => pooler.stop())
  const relay = await startRelay(server.port)
  onTestFinished(() => relay.stop())
  const uncaught = uncaughtErrors()
  onTestFinished(() => uncaught.stop())
  const pool = connect(server.url.replace(String(server.port), String(relay.port)), { options: '-c idle_session_timeout=1' })
  onTestFinished(() => pool.end())
  const store = postgresStore({ pool, listen: pooler.url })
  onTestFinished(() => store.close())
  await expect(listen(store)).rejects.toThrow('it is not known whether announcements come through')
  expect(uncaught.errors).toEqual([])
})

test('an address that leads to another database is refused', async () => {
  await admin.query('create database elsewhere')
  const { store } = open({ listen: server.url.replace(/postgres$/, 'elsewhere') })
  await expect(listen(store)).rejects.toThrow('announcements do not come through: listen leads to another database than the pool')
})

test('a pooler that cannot be tried out, because all of the pool is taken, is not blamed', async () => {
  const pooler = await startPgbouncer({ upstream: server, poolMode: 'session' })
  onTestFinished(() => pooler.stop())
  const { pool, store } = open({ url: pooler.url, max: 1 })
  const client = await pool.connect()
  await expect(listen(store)).rejects.toThrow('it is not known whether announcements come through: the pool sent none')
  client.release()
  const { changes } = await listen(store)
  const change = await publish(store)
  await expect.poll(() => changes).toEqual([change])
})
