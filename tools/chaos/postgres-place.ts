import { type PostgresReplica, type PostgresServer, startPostgres, startPostgresReplica } from '@tokenwell/test-servers'
import { Client } from 'pg'
import { attempted, type Pause, until } from './pause.ts'
import { type Loses, losing, oneOf, type Place } from './place.ts'
import type { Planned } from './plan.ts'
import { layWires, whileNobodyIsReached } from './wires.ts'

const SCHEMA = 'chaos'

/** How long a server may take to answer whoever does this to it, milliseconds. */
const ADMIN_MS = 5_000
/** A statement that was on its way when its connection ended has been carried out by then. */
const SETTLED_MS = 50

const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`
const RECORDS = `"${SCHEMA}".records`
const BEHIND = `select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::text as behind from pg_stat_replication`

/** A PostgreSQL with a replica, each process on a wire of its own. */
export async function openPostgres(processes: number): Promise<Place> {
  let primary: PostgresServer = await startPostgres()
  // Nobody waits for it before it is needed.
  let copying: Promise<PostgresReplica> = copyOf(primary)
  const wires = await layWires(primary.port, processes)

  async function failOver(pause: Pause, isComplete: boolean, lagMs: number, loses: Loses): Promise<void> {
    const replica = await attempted(copying).catch((error: unknown) => {
      copying = copyOf(primary)
      throw error
    })
    if (!isComplete) {
      replica.pause()
      await pause(lagMs).catch(async (error: unknown) => {
        replica.resume()
        throw error
      })
    }
    const promote = () =>
      whileNobodyIsReached(wires, async () => {
        if (isComplete) {
          await pause(SETTLED_MS)
          await until('the replica has everything', () => isReplicated(primary), pause)
        }
        await primary.kill()
        replica.resume()
        await replica.promote()
        return replica.port
      })
    await (isComplete ? promote() : losing(loses, promote))
    const old = primary
    primary = replica
    await old.stop()
    copying = copyOf(primary)
  }

  async function strike({ kind, forMs, draw }: Planned, pause: Pause, loses: Loses): Promise<void> {
    switch (kind) {
      case 'stall':
        primary.pause()
        await pause(forMs).finally(() => primary.resume())
        return
      case 'restart':
        await primary.kill()
        await pause(Math.min(forMs, 3_000))
        return primary.restart()
      case 'backends terminated':
        return attempted(withClient(primary, async (client) => void (await client.query(TERMINATE))))
      case 'table locked':
        return withClient(primary, async (client) => {
          await attempted(client.query('begin'))
          await attempted(client.query(`lock table ${RECORDS} in access exclusive mode`))
          await pause(forMs)
          // A lock goes with its connection, however that ends.
          await client.query('commit').catch(() => {})
        })
      case 'table emptied':
        return losing(loses, async () => void (await attempted(withClient(primary, (client) => client.query(`delete from ${RECORDS}`)))))
      case 'record lost':
        return attempted(
          withClient(primary, async (client) => {
            const { rows } = await client.query<{ key: string }>(`select key from ${RECORDS}`)
            const key = oneOf(
              rows.map((row) => row.key),
              draw,
            )
            await losing(loses, async () => void (await client.query(`delete from ${RECORDS} where key = $1`, [key])), key)
          }),
        )
      case 'failover':
        return failOver(pause, true, 0, loses)
      case 'failover without the last writes':
        return failOver(pause, false, 50 + draw * 2_000, loses)
      default:
        throw new Error(`no such fault of a PostgreSQL: ${kind}`)
    }
  }

  return {
    address: (node) => ({ kind: 'postgres', url: `postgres://postgres@127.0.0.1:${wires[node]?.port}/postgres`, schema: SCHEMA }),
    wires,
    strike,
    async stop() {
      await Promise.all(wires.map((wire) => wire.stop()))
      const [replica] = await Promise.allSettled([copying])
      await Promise.all([primary.stop(), replica.status === 'fulfilled' ? replica.value.stop() : undefined])
    },
  }
}

function copyOf(primary: PostgresServer): Promise<PostgresReplica> {
  const copy = startPostgresReplica(primary)
  // Whoever needs it hears why there is none.
  copy.catch(() => {})
  return copy
}

async function isReplicated(primary: PostgresServer): Promise<boolean> {
  return withClient(primary, async (client) => (await client.query<{ behind: string | null }>(BEHIND)).rows[0]?.behind === '0')
}

/** A connection for one purpose. */
async function withClient<T>({ url }: PostgresServer, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: ADMIN_MS, query_timeout: ADMIN_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
