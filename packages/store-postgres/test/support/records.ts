import type { Pool } from 'pg'

const DEADLINES = ['renew_at', 'expires_at', 'quiet_until', 'lease_until', 'retry_at']

/** The server's clock, milliseconds. */
export async function serverTime(admin: Pool): Promise<number> {
  const { rows } = await admin.query('select extract(epoch from clock_timestamp())::text as seconds')
  return Number(rows[0].seconds) * 1000
}

/** Moves every deadline of a store's records, as if the server's clock had been set back. */
export async function moveDeadlines(admin: Pool, schema: string, ms: number): Promise<void> {
  const moved = DEADLINES.map((column) => `${column} = ${column} + ${Math.round(ms * 1000)}`)
  await admin.query(`update "${schema}".records set ${moved.join(', ')}`)
}

export async function removeRecords(admin: Pool, schema: string): Promise<void> {
  await admin.query(`delete from "${schema}".records`)
}
