import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TokenStore } from '@tokenwell/core'
import { postgresStore } from '@tokenwell/store-postgres'
import { redisStore } from '@tokenwell/store-redis'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { startPostgres, startProxy, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { WIRE_MS } from './measured.ts'

/** A store on a server of its own. */
export interface Place {
  readonly name: string
  /** Of the server, or of what does the work here. */
  readonly version: string
  readonly bareName: string
  readonly near: Way
  /** To the same server, over a wire with a round trip of {@link WIRE_MS}; absent where the process itself does the work. */
  readonly distant?: Way
  /** Of the server and whatever it has started; absent where the process itself does the work. */
  readonly pid?: number
  close(): Promise<void>
}

/** A store, and the least that its server can be asked over the same client. */
export interface Way {
  readonly store: TokenStore
  bare(): Promise<unknown>
}

interface OpenWay extends Way {
  version(): Promise<string>
  close(): Promise<void>
}

export const places: { readonly [name: string]: () => Promise<Place> } = {
  async redis() {
    const server = await startRedis()
    return { name: 'Redis', bareName: 'PING', pid: server.pid, ...(await nearAndDistant(server, overRedis)) }
  },

  async postgres() {
    const server = await startPostgres({ settings: { shared_buffers: '128MB' } })
    return { name: 'PostgreSQL', bareName: 'select 1', pid: server.pid, ...(await nearAndDistant(server, overPostgres)) }
  },

  async sqlite() {
    const folder = await mkdtemp(join(tmpdir(), 'tokenwell-bench-'))
    const path = join(folder, 'tokens.db')
    const store = sqliteStore({ path })
    const beside = new DatabaseSync(path)
    const one = beside.prepare('select 1')
    return {
      name: 'SQLite',
      version: String(beside.prepare('select sqlite_version() as version').get()?.version),
      bareName: 'select 1',
      near: { store, bare: async () => one.get() },
      async close() {
        await store.close()
        beside.close()
        await rm(folder, { recursive: true })
      },
    }
  },
}

interface Server {
  readonly port: number
  readonly url: string
  stop(): Promise<void>
}

async function nearAndDistant(
  server: Server,
  open: (url: string) => OpenWay,
): Promise<Pick<Place, 'version' | 'near' | 'distant' | 'close'>> {
  const wire = await startProxy({ port: server.port, delayMs: WIRE_MS / 2 })
  const near = open(server.url)
  const distant = open(server.url.replace(`:${server.port}`, `:${wire.port}`))
  return {
    version: await near.version(),
    near,
    distant,
    async close() {
      await Promise.all([near.close(), distant.close()])
      await wire.stop()
      await server.stop()
    },
  }
}

function overRedis(url: string): OpenWay {
  const client = new Redis(url)
  const store = redisStore({ client })
  return {
    store,
    bare: () => client.ping(),
    version: async () => String(/^redis_version:(.+)$/m.exec(await client.info('server'))?.[1]).trim(),
    async close() {
      await store.close()
      client.disconnect()
    },
  }
}

function overPostgres(url: string): OpenWay {
  const pool = new Pool({ connectionString: url, max: 64 })
  pool.on('error', () => {})
  const store = postgresStore({ pool })
  return {
    store,
    bare: () => pool.query('select 1'),
    async version() {
      const { rows } = await pool.query<{ readonly version: string }>(
        `select split_part(current_setting('server_version'), ' ', 1) as version`,
      )
      return String(rows[0]?.version)
    },
    async close() {
      await store.close()
      await pool.end()
    },
  }
}
