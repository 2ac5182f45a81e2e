import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise'

export type Parameter = Buffer | number | string | null

/** SQLSTATE of a transaction that was rolled back so that others could go on: a deadlock, or in a Galera cluster a write elsewhere. */
const SERIALIZATION_FAILURE = '40001'

/**
 * How long the connection of a call that was given up may go on waiting for its answer, milliseconds. Closed at once, it would leave a session
 * behind that still waits for its lock, and the next call another; not closed at all, one that was cut would be lost to the pool.
 */
const PATIENCE_MS = 10_000

/**
 * Calls a procedure and returns the rows of each of its results. Gives up as soon as the signal is aborted, with its reason. What was
 * rolled back for others is done again at once.
 */
export async function call(pool: Pool, procedure: string, parameters: Parameter[], signal: AbortSignal): Promise<RowDataPacket[][]> {
  for (;;) {
    signal.throwIfAborted()
    const connection = await connectionOf(pool, signal)
    try {
      return await callOn(connection, procedure, parameters, signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!wasRolledBack(error)) throw withoutValues(error)
    }
  }
}

/** A pool cannot be told that somebody does not wait any more: a connection that comes too late goes back. */
async function connectionOf(pool: Pool, signal: AbortSignal): Promise<PoolConnection> {
  const coming = pool.getConnection()
  try {
    return await untilAborted(coming, signal)
  } catch (error) {
    coming.then(
      (connection) => connection.release(),
      () => {},
    )
    throw signal.aborted ? signal.reason : withoutValues(error)
  }
}

/** A prepared statement: parameters are no part of its text, which servers log and the driver puts into its errors. */
async function callOn(
  connection: PoolConnection,
  procedure: string,
  parameters: Parameter[],
  signal: AbortSignal,
): Promise<RowDataPacket[][]> {
  const sql = `call tokenwell_${procedure}(${parameters.map(() => '?').join(', ')})`
  const answer = connection.execute<RowDataPacket[][]>({ sql, values: parameters, rowsAsArray: false, typeCast: true })
  let answered = false
  let overdue: NodeJS.Timeout | undefined
  const release = () => {
    answered = true
    clearTimeout(overdue)
    connection.release()
  }
  answer.then(release, release)
  try {
    const [results] = await untilAborted(answer, signal)
    return results.filter(Array.isArray)
  } catch (error) {
    if (!answered) overdue = setTimeout(() => connection.destroy(), PATIENCE_MS).unref()
    throw error
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

function wasRolledBack(error: unknown): boolean {
  return error instanceof Error && 'sqlState' in error && error.sqlState === SERIALIZATION_FAILURE
}

/** What the server says of a failure may quote what it was given, so only the name of the failure is kept of that. */
function withoutValues(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('the database driver failed')
  const { code, message, sqlState } = error as Error & { readonly code?: string; readonly sqlState?: string }
  return new Error(sqlState === undefined ? message : `the database refused: ${code} (${sqlState})`)
}
