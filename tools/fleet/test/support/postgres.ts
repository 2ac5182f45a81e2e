import { startPostgres } from '@tokenwell/test-servers'
import { Client } from 'pg'
import { randomSecret } from '../../../leak-search/index.ts'
import { startFleet } from '../../index.ts'
import { postgresRecords } from '../../records/postgres.ts'
import type { ServerStage } from './stage.ts'

/** A PostgreSQL of one's own, that counts what it is sent. */
export async function postgresStage(): Promise<ServerStage> {
  const server = await startPostgres({ settings: { shared_preload_libraries: 'pg_stat_statements' } })
  const ask = async (query: string) => {
    const client = new Client({ connectionString: server.url })
    await client.connect()
    try {
      return (await client.query<{ calls: string | null }>(query)).rows[0]?.calls
    } finally {
      await client.end()
    }
  }
  await ask('create extension pg_stat_statements')
  return {
    name: 'Postgres',
    server,
    forgets: false,
    fleet: ({ withoutPush = false, ...options }) => {
      const { address, passInStore } = postgresRecords(server.url)
      const given = { ...address, ...(withoutPush && { listen: false }) }
      return startFleet({ store: () => given, passInStore, secret: randomSecret, ...options })
    },
    /** Statements about records: neither those of a test, which move deadlines, nor of the listening connection. */
    async operations() {
      const calls = await ask(
        `select sum(calls) as calls from pg_stat_statements where query ~ 'fleet_' and query !~* '^(create|alter|drop|listen|update)'`,
      )
      return Number(calls ?? 0)
    },
    async dump() {
      const client = new Client({ connectionString: server.url })
      await client.connect()
      try {
        const tables = await client.query<{ name: string }>(
          `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'fleet\\_%'`,
        )
        const rows: string[] = []
        for (const { name } of tables.rows) {
          const found = await client.query<{ row: string }>(`select t::text as row from ${name} t`)
          rows.push(...found.rows.map(({ row }) => row))
        }
        return Buffer.from(rows.join('\n'))
      } finally {
        await client.end()
      }
    },
    close: () => server.stop(),
  }
}
