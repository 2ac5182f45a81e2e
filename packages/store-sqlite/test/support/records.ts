import { DatabaseSync } from 'node:sqlite'

/** Runs one thing on a file beside the stores that have it open. Waits for their locks: in a test that is fine. */
export function inFile<T>(path: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path, { timeout: 5_000 })
  try {
    return work(database)
  } finally {
    database.close()
  }
}

/** All records as they are in the file. */
export function rows(path: string): Record<string, unknown>[] {
  return inFile(path, (database) => {
    const statement = database.prepare('select * from records order by key')
    statement.setReadBigInts(true)
    return statement.all().map((row) => ({ ...row }))
  })
}

const DEADLINES = ['renew_at', 'expires_at', 'quiet_until', 'lease_until', 'retry_at']

/** Moves every deadline of a file's records, as if the machine's clock had been set back. */
export function moveDeadlines(path: string, ms: number): void {
  const moved = DEADLINES.map((column) => `${column} = ${column} + :moved`)
  inFile(path, (database) => database.prepare(`update records set ${moved}`).run({ moved: BigInt(ms) * 1000n }))
}

/** What SQLite finds wrong with a file: `ok` for nothing. */
export function integrity(path: string): unknown {
  return inFile(path, (database) => database.prepare('pragma integrity_check').get()?.integrity_check)
}
