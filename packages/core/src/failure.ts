import { isTokenError, TokenError, type TokenErrorCode, type TokenErrorOptions } from './errors.ts'

/** What `fetch` throws when it needs something that is not there yet. `wait` resolves when it is, and rejects when it cannot be had. */
export class MissingDependency {
  readonly failure: TokenError
  readonly wait: (signal: AbortSignal) => Promise<void>

  constructor(failure: TokenError, wait: (signal: AbortSignal) => Promise<void>) {
    this.failure = failure
    this.wait = wait
  }
}

/** What a `fetch` that uses something up throws when it has not: nothing was sent, or the upstream has answered that it refuses. */
export class Unspent {
  readonly failure: TokenError

  constructor(failure: TokenError) {
    this.failure = failure
  }
}

export function isUnspent(thrown: unknown): thrown is Unspent {
  try {
    return thrown instanceof Unspent
  } catch {
    return false
  }
}

export function isMissingDependency(thrown: unknown): thrown is MissingDependency {
  try {
    return thrown instanceof MissingDependency
  } catch {
    return false
  }
}

/** Codes that a failure shared through a store may carry. Anything else in a record is not believed. */
const shared: ReadonlySet<string> = new Set<TokenErrorCode>([
  'FETCH_FAILED',
  'FETCH_INVALID',
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_INVALID_REPLY',
  'UPSTREAM_REFUSED',
  'RATE_LIMITED',
  'CONFIGURATION_REJECTED',
  'TICKET_UNAVAILABLE',
  'TICKET_REJECTED',
  'TOKEN_REJECTED',
  'REAUTHORIZATION_REQUIRED',
])

const LONGEST_MESSAGE = 500

/** A failure as the text that other processes read. The cause stays behind: it belongs to the process that has it. */
export function encodeFailure(error: TokenError): string {
  const { code, retryable, upstream } = error
  const message = String(error.message).slice(0, LONGEST_MESSAGE)
  try {
    return JSON.stringify({ code, message, retryable, upstream })
  } catch {
    // Whoever writes a fetch of their own may put anything there.
    return JSON.stringify({ code, message, retryable: retryable === true })
  }
}

/** The failure another process left in a record; undefined when it is not readable. `retryInMs` is how long the record says to wait. */
export function decodeFailure(text: string, retryInMs: number): TokenError | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  const { code, message, retryable, upstream } = fields as Record<string, unknown>
  if (typeof code !== 'string' || !shared.has(code) || typeof message !== 'string' || typeof retryable !== 'boolean') return undefined
  return new TokenError(code as TokenErrorCode, message.slice(0, LONGEST_MESSAGE), {
    retryable,
    retryAfterMs: Math.max(0, Math.ceil(retryInMs)),
    upstream: readUpstream(upstream),
  })
}

function readUpstream(value: unknown): TokenErrorOptions['upstream'] {
  if (typeof value !== 'object' || value === null) return undefined
  const { code, msg, logId, httpStatus } = value as Record<string, unknown>
  return {
    ...(typeof code === 'number' ? { code } : {}),
    ...(typeof msg === 'string' ? { msg: msg.slice(0, LONGEST_MESSAGE) } : {}),
    ...(typeof logId === 'string' ? { logId: logId.slice(0, LONGEST_MESSAGE) } : {}),
    ...(typeof httpStatus === 'number' ? { httpStatus } : {}),
  }
}

/** Whatever a `fetch` threw, as the error its callers get. Foreign text stays in `cause`: it may quote a credential. */
export function fetchFailure(thrown: unknown, key: string): TokenError {
  if (isTokenError(thrown)) return thrown
  const kind = kindOf(thrown)
  return new TokenError('FETCH_FAILED', `The fetch of "${key}" failed with ${kind}; see the cause.`, { retryable: true, cause: thrown })
}

/** What kind of thing was thrown. It may be anything at all, also something that throws when it is looked at. */
function kindOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}` : typeof thrown
  } catch {
    return 'something unreadable'
  }
}
