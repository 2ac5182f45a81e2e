/**
 * An error of `pg` as one that may be shown, with its `code`. The original carries the row that was refused, the statement's parameters
 * or the configuration of the connection: values, and maybe a password.
 */
export function presentable(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('PostgreSQL failed with something that is no error')
  const code = codeOf(error)
  const said = messageOf(error)
  const next = adviceFor(code)
  const shown = new Error(next === undefined ? said : `${said} (${next})`)
  return code === undefined ? shown : Object.assign(shown, { code })
}

/** SQLSTATE, or a name of the system's such as `ECONNRESET`. */
export function codeOf(error: unknown): string | undefined {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown }
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : undefined
}

/** Whether the server gave the statement up because of others, and it may be sent again at once. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** Whether the connection was lost. What became of the statement is unknown. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error)
  if (code !== undefined) return /^(57P0[1235]|08...)$/.test(code) || code === 'ECONNRESET' || code === 'EPIPE'
  return error instanceof Error && /^(Connection terminated|Client has encountered a connection error)/.test(error.message)
}

/** The server ends the session with these: a limit on transactions, a database that is dropped. What was sent is not sent again. */
const ENDS_THE_SESSION = new Set(['25P03', '25P04', '57P04'])

/** What writes are refused with by a standby, and by what was the primary. */
const READ_ONLY = '25006'

/**
 * Whether the connection is of no use any more. After `query_timeout` of the client it still waits for the answer to somebody else's
 * statement. One to a standby would stay with it for ever, long after others lead to the primary.
 */
export function isUnusable(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  if (code === READ_ONLY || ENDS_THE_SESSION.has(code)) return true
  return isConnectionLoss(error) || (error instanceof Error && error.message === 'Query read timeout')
}

/** Whether the table or its schema is not there. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error)
  return code === '42P01' || code === '3F000'
}

/** A column, a function, a type that is not there. */
const LACKS = new Set(['42703', '42883', '42704'])

/** Whether the schema is not as this version makes it: not there, or without something. */
export function isOutdated(error: unknown): boolean {
  return isMissing(error) || LACKS.has(codeOf(error) ?? '')
}

function messageOf(error: Error): string {
  // Several addresses were tried: the error itself says nothing.
  if (error instanceof AggregateError && error.message === '') return error.errors.map((each) => String(each?.message)).join(', ')
  return error.message
}

function adviceFor(code: string | undefined): string | undefined {
  switch (code) {
    case READ_ONLY:
      return 'the pool is connected to a standby or to a session that is read-only by default: connect it to the primary, read-write'
    case '42501':
      return "grant the pool's role what the README of @tokenwell/store-postgres lists"
    case '42P01':
    case '3F000':
    case '42703':
    case '42883':
    case '42704':
      return 'the tables of the store are not as this version of @tokenwell/store-postgres makes them: see migrationSql()'
    case '53300':
      return 'the server has no connection left: make pools smaller or put a pooler in front'
    default:
      return undefined
  }
}
