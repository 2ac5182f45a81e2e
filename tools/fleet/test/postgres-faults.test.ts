import { setTimeout as passed } from 'node:timers/promises'
import { type PostgresServer, startPostgres, startPostgresReplica, startProxy } from '@tokenwell/test-servers'
import { Client } from 'pg'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import { postgresRecords } from '../records/postgres.ts'
import { MOMENTS } from './support/fault.ts'
import { FaultTable } from './support/fault-table.ts'
import { Ordeal } from './support/ordeal.ts'
import { until } from './support/until.ts'

type Context = Pick<TestContext, 'onTestFinished'>

/** Longer than a lease. */
const FROZEN_MS = 10_000
/** Shorter than a lease, and longer than both tries of an operation. */
const BLOCKED_MS = 3_000

const table = new FaultTable('Faults of a PostgreSQL server')
afterAll(() => table.print())

/** A fleet on a server of its own, reached at `port` if that is another. */
async function onPostgres(context: Context, server: PostgresServer, port = server.port) {
  const { address, passInStore } = postgresRecords(server.url.replace(String(server.port), String(port)))
  const schema = 'schema' in address ? address.schema : ''
  return { schema, ordeal: await Ordeal.start(context, { address: () => address, passInStore }) }
}

async function start(context: Context, settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const server = await startPostgres({ settings })
  context.onTestFinished(() => server.stop(), 60_000)
  return server
}

async function connect(context: Context, url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  context.onTestFinished(() => client.end().catch(() => {}))
  return client
}

/** Ends every connection but the one that says so. */
const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`

describe.concurrent('a server that goes away', () => {
  test('and comes back, in the middle of every part of a rotation', { timeout: 120_000 }, async (context) => {
    const server = await start(context)
    const { ordeal } = await onPostgres(context, server)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({ moment, strike: () => server.kill(), heal: () => server.restart() })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('killed and restarted'))
  })

  test('for ever: a replica is promoted in its place', { timeout: 120_000 }, async (context) => {
    const primary = await start(context)
    const proxy = await startProxy({ port: primary.port })
    context.onTestFinished(() => proxy.stop())
    const { ordeal } = await onPostgres(context, primary, proxy.port)
    await ordeal.begin()
    const replica = await startPostgresReplica(primary)
    context.onTestFinished(() => replica.stop(), 60_000)
    const admin = await connect(context, primary.url)
    await until('the replica has everything', async () => {
      const { rows } = await admin.query<{ behind: string | null }>(
        `select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::text as behind from pg_stat_replication`,
      )
      return rows[0]?.behind === '0'
    })
    const requests = await ordeal.rotateThrough({
      moment: 'request',
      async strike() {
        await primary.kill()
        await replica.promote()
        proxy.redirect(replica.port)
        proxy.reset()
      },
      // What it had not been sent yet is lost: the lease, maybe.
      losesData: true,
    })
    expect(requests).toBeLessThanOrEqual(2)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('replica promoted'))
  })
})

describe.concurrent('a server that does not answer', () => {
  test.for(['claim', 'publish'] as const)('SIGSTOP for 10 s before the %s', { timeout: 120_000 }, async (moment, context) => {
    const server = await start(context)
    const { ordeal } = await onPostgres(context, server)
    await ordeal.begin()
    const requests = await ordeal.rotateThrough({
      moment,
      strike: () => server.pause(),
      async heal() {
        await passed(FROZEN_MS)
        server.resume()
      },
    })
    expect(requests).toBeLessThanOrEqual(2)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`SIGSTOP 10 s, ${moment}`))
  })

  test('because somebody else has locked its table', { timeout: 120_000 }, async (context) => {
    const server = await start(context)
    const { schema, ordeal } = await onPostgres(context, server)
    await ordeal.begin()
    const admin = await connect(context, server.url)
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({
        moment,
        async strike() {
          await admin.query('begin')
          await admin.query(`lock table "${schema}".records in access exclusive mode`)
        },
        async heal() {
          await passed(BLOCKED_MS)
          await admin.query('commit')
        },
      })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('table locked 3 s'))
  })
})

describe.concurrent('a server that ends connections', () => {
  test('all of them, in the middle of every part of a rotation', { timeout: 120_000 }, async (context) => {
    const server = await start(context)
    const { ordeal } = await onPostgres(context, server)
    await ordeal.begin()
    const admin = await connect(context, server.url)
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({ moment, strike: async () => void (await admin.query(TERMINATE)) })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('all backends terminated'))
  })

  test('and has no slot left for new ones', { timeout: 120_000 }, async (context) => {
    const server = await start(context, { max_connections: '30', superuser_reserved_connections: '0', reserved_connections: '0' })
    const { ordeal } = await onPostgres(context, server)
    await ordeal.begin()
    const admin = await connect(context, server.url)
    const taken: Client[] = []
    context.onTestFinished(async () => {
      await Promise.all(taken.map((client) => client.end().catch(() => {})))
    })
    const requests = await ordeal.rotateThrough({
      moment: 'claim',
      async strike() {
        await admin.query(TERMINATE)
        await until('every slot is taken', async () => {
          const client = new Client({ connectionString: server.url })
          client.on('error', () => {})
          try {
            await client.connect()
            taken.push(client)
            return false
          } catch {
            // Somebody of the fleet may have been faster: theirs goes as well.
            const { rowCount } = await admin.query(`${TERMINATE} and not pid = any($1)`, [await pidsOf(taken)])
            return rowCount === 0
          }
        })
      },
      async heal() {
        await ordeal.noticed()
        await Promise.all(taken.splice(0).map((client) => client.end()))
      },
    })
    expect(requests).toBe(1)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('no connection slots'))
  })
})

async function pidsOf(clients: readonly Client[]): Promise<number[]> {
  return Promise.all(
    clients.map(async (client) => (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0),
  )
}
