import { randomBytes } from 'node:crypto'
import { Pool } from 'pg'
import { moveDeadlines } from '../../../packages/store-postgres/test/support/records.ts'
import type { FleetRecords } from './fleet-records.ts'

/** Records in this PostgreSQL, in a schema of their own, which the first node makes. */
export function postgresRecords(url: string): FleetRecords {
  const schema = `fleet_${randomBytes(6).toString('hex')}`
  return {
    address: { kind: 'postgres', url, schema },
    passInStore: (ms) => withPool(url, (admin) => moveDeadlines(admin, schema, -ms)),
    remove: () =>
      withPool(url, async (admin) => {
        await admin.query(`drop schema if exists "${schema}" cascade`)
      }),
  }
}

/** A connection for one purpose: a server that was restarted meanwhile is none of its concern. */
async function withPool(url: string, use: (admin: Pool) => Promise<void>): Promise<void> {
  const admin = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 5_000 }).on('error', () => {})
  try {
    await use(admin)
  } finally {
    await admin.end()
  }
}
