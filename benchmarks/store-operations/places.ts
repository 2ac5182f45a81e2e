import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TokenStore } from '@tokenwell/core'
import { postgresStore } from '@tokenwell/store-postgres'
import { redisStore } from '@tokenwell/store-redis'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { startPostgres, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { Pool } from 'pg'

/** A store on a server of its own, and the least that the same server can be asked over the same client. */
export interface Place {
  readonly name: string
  readonly bareName: string
  readonly store: TokenStore
  bare(): Promise<unknown>
  /** Of the server and whatever it has started; absent where the process itself does the work. */
  readonly pid?: number
  close(): Promise<void>
}

export const places: { readonly [name: string]: () => Promise<Place> } = {
  async redis() {
    const server = await startRedis()
    const client = new Redis(server.url)
    const store = redisStore({ client })
    return {
      name: 'Redis',
      bareName: 'PING',
      store,
      bare: () => client.ping(),
      pid: server.pid,
      async close() {
        await store.close()
        client.disconnect()
        await server.stop()
      },
    }
  },

  async postgres() {
    const server = await startPostgres({ settings: { shared_buffers: '128MB' } })
    const pool = new Pool({ connectionString: server.url, max: 64 })
    pool.on('error', () => {})
    const store = postgresStore({ pool })
    return {
      name: 'PostgreSQL',
      bareName: 'select 1',
      store,
      bare: () => pool.query('select 1'),
      pid: server.pid,
      async close() {
        await store.close()
        await pool.end()
        await server.stop()
      },
    }
  },

  async sqlite() {
    const folder = await mkdtemp(join(tmpdir(), 'tokenwell-bench-'))
    const path = join(folder, 'tokens.db')
    const store = sqliteStore({ path })
    const beside = new DatabaseSync(path)
    const one = beside.prepare('select 1')
    return {
      name: 'SQLite',
      bareName: 'select 1',
      store,
      bare: async () => one.get(),
      async close() {
        await store.close()
        beside.close()
        await rm(folder, { recursive: true })
      },
    }
  },
}
