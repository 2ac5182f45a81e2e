/**
 * What this package uses of a pool of `pg`. Written down rather than imported: then it does not matter which copy or version of `pg`, or
 * of its types, the pool comes from.
 *
 * @module
 */

export interface PostgresResult {
  readonly rows: readonly unknown[]
}

export interface PostgresQuery {
  query(text: string, values?: readonly unknown[]): Promise<PostgresResult>
}

/** One statement. With a name it is prepared once for each connection. */
export interface PostgresStatement {
  readonly name?: string
  readonly text: string
  readonly values: readonly unknown[]
}

/** A client that was taken from a pool. With an argument, `release` ends its connection. */
export interface PostgresPoolClient extends PostgresQuery {
  query(text: string, values?: readonly unknown[]): Promise<PostgresResult>
  query(statement: PostgresStatement): Promise<PostgresResult>
  /** What the server named as its process; a pooler in between names another. */
  readonly processID?: number | null
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** `pg`'s `Pool`, of 8.11 or later. */
export interface PostgresPool {
  readonly options: object
  connect(taken: (error: Error | undefined, client: PostgresPoolClient | undefined) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

/** `pg`'s `Client`: a connection of its own, for announcements. */
export interface PostgresClient extends PostgresQuery {
  /** What the server named as its process; a pooler in between names another. */
  readonly processID?: number | null
  connect(): Promise<unknown>
  end(): Promise<unknown>
  unref?(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: { readonly channel: string; readonly payload?: string | undefined }) => void): unknown
}

/** How a connection for announcements is made, as for `pg`'s `Client`. */
export type PostgresConnection = Readonly<Record<string, unknown>>

/** How long opening a connection may take, milliseconds, unless its configuration says. */
const OPENING_MS = 5_000

type ClientClass = new (config: PostgresConnection) => PostgresClient

/** A connection like those of the pool, or with a configuration of its own. */
export function dedicatedClient(pool: PostgresPool, connection: string | object | undefined): PostgresClient {
  const { Client } = pool as { readonly Client?: ClientClass }
  if (typeof Client !== 'function') throw new Error('the pool names no Client to listen with: set listen to false')
  const config = typeof connection === 'string' ? { connectionString: connection } : (connection ?? copied(pool.options))
  // A connection that is only listened to would otherwise not notice that the other end has gone.
  return new Client({ keepAlive: true, keepAliveInitialDelayMillis: 10_000, connectionTimeoutMillis: OPENING_MS, ...config })
}

/** A pool hides its password from whoever lists its options. */
function copied(options: object): PostgresConnection {
  const { password } = options as { readonly password?: unknown }
  return password === undefined ? { ...options } : { ...options, password }
}
