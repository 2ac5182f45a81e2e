import type { TokenStore } from '@tokenwell/core'
import { postgresStore } from '@tokenwell/store-postgres'
import { redisStore } from '@tokenwell/store-redis'
import { startPostgres, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { Pool } from 'pg'

/** Where the processes of a fleet find their store. Plain data, so that it can be sent to them. */
export interface Place {
  readonly kind: 'redis' | 'postgres'
  readonly url: string
}

/** The server of a place. */
export interface Server {
  readonly name: string
  readonly place: Place
  readonly pid: number
  /** What it keeps, bytes. */
  kept(): Promise<number>
  stop(): Promise<void>
}

/** Of one process. */
const CONNECTIONS = 16

export async function startServer(kind: Place['kind']): Promise<Server> {
  if (kind === 'postgres') {
    const server = await startPostgres({ settings: { shared_buffers: '128MB' } })
    const pool = openPool(server.url)
    return {
      name: 'PostgreSQL',
      place: { kind, url: server.url },
      pid: server.pid,
      async kept() {
        const { rows } = await pool.query<{ size: string }>('select pg_database_size(current_database()) as size')
        return Number(rows[0]?.size)
      },
      async stop() {
        await pool.end()
        await server.stop()
      },
    }
  }
  const server = await startRedis()
  const client = new Redis(server.url)
  return {
    name: 'Redis',
    place: { kind, url: server.url },
    pid: server.pid,
    async kept() {
      const memory = await client.info('memory')
      return Number(/^used_memory:(\d+)/m.exec(memory)?.[1])
    },
    async stop() {
      client.disconnect()
      await server.stop()
    },
  }
}

export interface OpenStore {
  readonly store: TokenStore
  /** Of the client; the store is closed by its manager. */
  close(): Promise<void>
}

export function openStore({ kind, url }: Place): OpenStore {
  if (kind === 'postgres') {
    const pool = openPool(url)
    return { store: postgresStore({ pool }), close: () => pool.end() }
  }
  const client = new Redis(url)
  return { store: redisStore({ client }), close: async () => client.disconnect() }
}

function openPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS })
  pool.on('error', () => {})
  return pool
}
