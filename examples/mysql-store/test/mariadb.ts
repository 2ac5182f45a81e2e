import { type MariadbServer, startMariadb } from '@tokenwell/test-servers'
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise'
import { createSchema } from '../index.ts'

/** A server with the schema of the store. Released with `await using`. */
export interface PreparedMariadb extends AsyncDisposable {
  readonly server: MariadbServer
  /** For what tests do to the records themselves. */
  readonly pool: Pool
}

export async function prepareMariadb(): Promise<PreparedMariadb> {
  const server = await startMariadb()
  const pool = createPool(server.url)
  const release = async () => {
    await pool.end()
    await server.stop()
  }
  try {
    await createSchema(pool)
  } catch (error) {
    await release()
    throw error
  }
  return { server, pool, [Symbol.asyncDispose]: release }
}

/** The database's clock, milliseconds since the Unix epoch. */
export async function databaseNow(pool: Pool): Promise<number> {
  const sql = `select timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000 as now`
  const [rows] = await pool.query<RowDataPacket[]>(sql)
  return Number(rows[0]?.now)
}
