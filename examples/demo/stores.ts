import type { FleetRecords } from '@tokenwell/fleet/records/fleet-records'
import { providePostgres, provideRedis } from '@tokenwell/test-servers'
import type { DemoOptions } from './options.ts'

/** Where the fleet of the demo keeps its records. */
export interface DemoStore {
  /** For people. */
  readonly name: string
  /** Whether it wakes waiting processes. */
  readonly push: boolean
  readonly records: FleetRecords
  /** Removes the records, and ends the server if it was started for the demo. */
  close(): Promise<void>
}

/** The user's own server, or one that is started. Only what the store needs is loaded. */
export async function provideStore({ store, url }: DemoOptions): Promise<DemoStore> {
  switch (store) {
    case 'redis': {
      const { redisRecords } = await import('@tokenwell/fleet/records/redis')
      return onServer('Redis', url === undefined ? await provideRedis() : existing(url), redisRecords)
    }
    case 'postgres': {
      const { postgresRecords } = await import('@tokenwell/fleet/records/postgres')
      return onServer('PostgreSQL', url === undefined ? await providePostgres() : existing(url), postgresRecords)
    }
    case 'sqlite': {
      const { sqliteRecords } = await import('@tokenwell/fleet/records/sqlite')
      const records = await sqliteRecords()
      return { name: 'one SQLite file', push: false, records, close: records.remove }
    }
    case 'memory':
      throw new Error('the records of the memory store are those of one process')
  }
}

interface Server {
  readonly url: string
  stop(): Promise<void>
}

function existing(url: string): Server {
  return { url, stop: async () => {} }
}

function onServer(name: string, server: Server, recordsIn: (url: string) => FleetRecords): DemoStore {
  const records = recordsIn(server.url)
  return {
    // A URL can hold a password: it is not printed.
    name: `${name} at ${new URL(server.url).host}`,
    push: true,
    records,
    async close() {
      try {
        await records.remove()
      } finally {
        await server.stop()
      }
    },
  }
}
