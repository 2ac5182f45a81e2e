import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as passed } from 'node:timers/promises'
import type { TokenStore } from '@tokenwell/core'
import { createFeishuTokens, createNodeEventHandler } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describeTokenStore } from '@tokenwell/testkit'
import { type Connection, createConnection, createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { mysqlStore } from '../index.ts'
import { databaseNow, type PreparedMariadb, prepareMariadb } from './mariadb.ts'

const CLAIM = { leaseMs: 10_000, seen: 0, rejected: 0 }
const VALUE = { renewInMs: 60_000, expiresInMs: 120_000 }

let mariadb: PreparedMariadb

beforeAll(async () => {
  mariadb = await prepareMariadb()
  // The server may have to be installed first.
}, 300_000)

afterAll(() => mariadb?.[Symbol.asyncDispose]())

/** Every deadline of a record, and nothing else of it. */
const DEADLINES = ['renew_at', 'expires_at', 'quiet_until', 'lease_until', 'retry_at']

const { notRun } = describeTokenStore({
  test,
  capabilities: { shared: true, durable: true, push: false },
  async factory() {
    await mariadb.pool.query('delete from tokenwell')
    // A pool each, as two nodes have them.
    const pools = [createPool(mariadb.server.url), createPool(mariadb.server.url)] as const
    return {
      stores: [mysqlStore({ pool: pools[0] }), mysqlStore({ pool: pools[1] })],
      reopen: async () => mysqlStore({ pool: mariadb.pool }),
      async close() {
        for (const pool of pools) await pool.end()
      },
    }
  },
  clock: {
    now: () => databaseNow(mariadb.pool),
    pass: (ms) => passed(ms),
    async stepBack(ms) {
      const shift = DEADLINES.map((deadline) => `${deadline} = ${deadline} + ${ms * 1_000}`)
      await mariadb.pool.query(`update tokenwell set ${shift.join(', ')}`)
    },
  },
})

test('nothing of the contract was left out', () => {
  expect(notRun).toEqual([])
})

const patient = () => ({ signal: AbortSignal.timeout(20_000) })

/** A pool of one connection: what is left of an operation would be in the way of the next. */
function poolOf(options: PoolOptions = {}): Pool {
  const pool = createPool({ uri: mariadb.server.url, connectionLimit: 1, ...options })
  onTestFinished(() => pool.end())
  return pool
}

/** Somebody who keeps the row of a key locked until a rollback, or the end of the test. */
async function lockRow(name: string): Promise<Connection> {
  const connection = await createConnection(mariadb.server.url)
  onTestFinished(() => connection.destroy())
  await connection.beginTransaction()
  await connection.query('update tokenwell set failures = 7 where name = ?', [Buffer.from(name)])
  return connection
}

/** Resolves once a session waits for a lock. Not by `innodb_trx`, which stands still as long as it is asked ten times a second. */
async function somebodyWaits(): Promise<void> {
  const waits = `show global status like 'innodb_row_lock_current_waits'`
  await expect.poll(async () => (await mariadb.pool.query<RowDataPacket[]>(waits))[0][0]?.Value, { timeout: 10_000 }).toBe('1')
}

test('a claim that waited for a lock goes by the clock after the wait', async () => {
  const store = mysqlStore({ pool: poolOf() })
  await store.invalidate('waits', 1, patient())
  const holder = await lockRow('waits')
  const claim = store.claim('waits', 'attempt', CLAIM, patient())
  await somebodyWaits()
  const releasedAt = await databaseNow(mariadb.pool)
  await holder.rollback()
  const granted = await claim
  expect(granted.kind === 'granted' && granted.fence / 1_000).toBeGreaterThanOrEqual(releasedAt)
})

test('a read does not wait for a writer, and sees nothing of what is not committed', async () => {
  const store = mysqlStore({ pool: poolOf() })
  await store.invalidate('locked', 1, patient())
  const holder = await lockRow('locked')
  const [snapshot] = await store.read(['locked'], patient())
  await holder.rollback()
  expect(snapshot).toMatchObject({ rejectedUpTo: 1 })
  expect(snapshot).not.toHaveProperty('backoff')
})

test('operations that are given up while a row is locked open no other session, and theirs is good again afterwards', async () => {
  const pool = poolOf()
  let sessions = 0
  pool.on('connection', () => sessions++)
  const store = mysqlStore({ pool })
  await store.invalidate('given up', 1, patient())
  const holder = await lockRow('given up')
  for (const attempt of ['first', 'second', 'third']) {
    const patience = new AbortController()
    const outcome = expect(store.claim('given up', attempt, CLAIM, patience)).rejects.toBe('enough')
    await somebodyWaits()
    patience.abort('enough')
    await outcome
  }
  await holder.rollback()
  // What was sent has happened after all; what was not has not.
  expect(await store.claim('given up', 'first', CLAIM, patient())).toMatchObject({ kind: 'granted' })
  expect(sessions).toBe(1)
})

test('a connection that has not answered for ten seconds is given up', async () => {
  const store = mysqlStore({ pool: poolOf() })
  await store.invalidate('overdue', 1, patient())
  const holder = await lockRow('overdue')
  const patience = new AbortController()
  const outcome = expect(store.claim('overdue', 'attempt', CLAIM, patience)).rejects.toBe('enough')
  await somebodyWaits()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  patience.abort('enough')
  await outcome
  vi.advanceTimersByTime(10_000)
  vi.useRealTimers()
  expect(await store.read(['overdue'], patient())).toMatchObject([{ rejectedUpTo: 1 }])
  await holder.rollback()
})

test('an operation ends when its signal is aborted while the server does not answer, and leaves the pool as good as it was', async () => {
  const store = mysqlStore({ pool: poolOf() })
  mariadb.server.pause()
  const patience = new AbortController()
  const outcomes = [store.read(['frozen'], patience), store.claim('frozen', 'attempt', CLAIM, patience)].map((operation) =>
    expect(operation).rejects.toBe('enough'),
  )
  patience.abort('enough')
  await Promise.all(outcomes)
  mariadb.server.resume()
  expect(await store.claim('frozen', 'another', CLAIM, patient())).toMatchObject({ kind: 'granted' })
})

test('what is rolled back for a deadlock is done again', async () => {
  await mariadb.pool.query(`create trigger loses_once before insert on tokenwell for each row
    if @lost is null then
      set @lost = true;
      signal sqlstate '40001' set mysql_errno = 1213;
    end if`)
  onTestFinished(async () => {
    await mariadb.pool.query('drop trigger loses_once')
  })
  const pool = poolOf()
  const store = mysqlStore({ pool })
  expect(await store.claim('loses', 'attempt', CLAIM, patient())).toMatchObject({ kind: 'granted', takeover: false })
  const [lost] = await pool.query<RowDataPacket[]>('select @lost as lost')
  expect(lost).toEqual([{ lost: 1 }])
})

test.each<[string, PoolOptions, string]>([
  ['text of another character set', { charset: 'LATIN1_SWEDISH_CI' }, ''],
  ['numbers as strings and rows as arrays', { supportBigNumbers: true, bigNumberStrings: true, rowsAsArray: true }, ''],
  ['columns as they come', { typeCast: false }, ''],
  ['a time zone of its own', { timezone: '+09:00' }, "time_zone = '-11:00'"],
  ['transactions that begin by themselves', {}, 'autocommit = 0'],
  ['the strictest isolation', {}, 'transaction isolation level serializable'],
  ['all assignments of a statement at once', {}, "sql_mode = concat(@@sql_mode, ',SIMULTANEOUS_ASSIGNMENT')"],
])('what the pool is set to changes nothing: %s', async (label, options, session) => {
  const pool = poolOf(options)
  if (session !== '') await pool.query(`set session ${session}`)
  const store = mysqlStore({ pool })
  const key = `${label} 令牌 \u{1f511} `
  const fence = Number.MAX_SAFE_INTEGER - 1
  const claim = await store.claim(key, 'attempt é', { ...CLAIM, seen: fence - 1 }, patient())
  expect(claim).toMatchObject({ kind: 'granted', fence, snapshot: { lease: { expiresInMs: CLAIM.leaseMs } } })
  expect(await mysqlStore({ pool: mariadb.pool }).claim(key, 'another', CLAIM, patient())).toMatchObject({ kind: 'held' })
  const publication = await store.publish(key, 'attempt é', fence, { value: 'ß\u{1f511}', ...VALUE }, patient())
  expect(publication).toMatchObject({ kind: 'accepted', snapshot: { key, version: fence, value: 'ß\u{1f511}', ...VALUE } })
  await mysqlStore({ pool: mariadb.pool }).invalidate(key, fence, patient())
  expect(await store.read([key], patient())).toMatchObject([{ key, version: fence, value: 'ß\u{1f511}', rejectedUpTo: fence }])
})

test('a user who may do nothing but execute procedures can use the store', async () => {
  await mariadb.pool.query(`create user app identified by ''`)
  await mariadb.pool.query('grant execute on tokenwell.* to app')
  const store = mysqlStore({ pool: poolOf({ user: 'app' }) })
  expect(await store.claim('of app', 'attempt', CLAIM, patient())).toMatchObject({ kind: 'granted' })
  expect(await store.read(['of app'], patient())).toMatchObject([{ key: 'of app', lease: {} }])
})

test('no error says what was to be stored', async () => {
  const value = randomSecret('value')
  const publish = (store: TokenStore) => store.publish('key', 'attempt', 1, { value, ...VALUE }, patient())
  await mariadb.pool.query('create database bare')
  const withoutSchema = await publish(mysqlStore({ pool: poolOf({ database: 'bare' }) })).catch((error: Error) => error)
  record('error', withoutSchema)
  expect(withoutSchema).toEqual(new Error('the database refused: ER_SP_DOES_NOT_EXIST (42000)'))

  await mariadb.pool.query('alter table tokenwell modify value varbinary(10)')
  onTestFinished(async () => {
    await mariadb.pool.query('alter table tokenwell modify value mediumblob')
  })
  const store = mysqlStore({ pool: poolOf() })
  const tooLong = await publish(store).catch((error: Error) => error)
  record('error', tooLong)
  expect(tooLong).toEqual(new Error('the database refused: ER_DATA_TOO_LONG (22001)'))
  // Nothing of it was written, and no transaction is left open.
  expect(await store.read(['key'], patient())).toMatchObject([{ version: 0 }])
})

test('a server that is not there is said to be not there', async () => {
  const store = mysqlStore({ pool: poolOf({ uri: 'mysql://root@127.0.0.1:1/tokenwell' }) })
  await expect(store.read(['key'], patient())).rejects.toThrow(/ECONNREFUSED/)
})

async function listen(handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('two nodes over one MariaDB: the ticket of one is the ticket of both, and a thousand callers share one request', async () => {
  const app = { appId: 'cli_example', appSecret: randomSecret('app secret') }
  const events = { verificationToken: randomSecret('verification token'), encryptKey: randomSecret('encrypt key') }
  const handlers: RequestListener[] = []
  const eventUrl = await listen((request, response) => handlers[0]?.(request, response))
  const sim = await startFeishuSimulator({ apps: [{ ...app, ...events, eventUrl }] })
  onTestFinished(() => sim.close())

  const nodes = [0, 1].map(() => {
    const pool = createPool(mariadb.server.url)
    const tokens = createFeishuTokens({ ...app, domain: sim.url, store: mysqlStore({ pool }), events })
    onTestFinished(async () => {
      await tokens.close()
      await pool.end()
    })
    return tokens
  })
  const [first, second] = nodes
  if (first === undefined || second === undefined) throw new Error('there are two')
  handlers.push(createNodeEventHandler(first))
  expect(await sim.pushTicket(app.appId)).toMatchObject({ acknowledged: true })

  const callers = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? first : second).app.get())
  const tokens = await Promise.all(callers)
  const [token] = tokens
  if (token === undefined) throw new Error('nobody was served')
  expect(new Set(tokens.map(({ value }) => value))).toEqual(new Set([token.value]))
  expect(sim.judge(token.value)).toBe('valid')
  expect(sim.counters(app.appId).requests).toMatchObject({ app_access_token: 1 })

  // Each finds out by itself that the token was revoked, and the second is handed what the first has fetched.
  sim.revoke(app.appId, { next: 'new' })
  const successors: string[] = []
  for (const node of nodes) {
    await node.app.reject(token)
    successors.push(await node.appAccessToken())
  }
  record('status', [first.status(), second.status()])
  expect(successors.map((successor) => sim.judge(successor))).toEqual(['valid', 'valid'])
  expect(sim.counters(app.appId).requests).toMatchObject({ app_access_token: 2 })
})
