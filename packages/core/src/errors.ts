/**
 * What went wrong, for a program to switch on.
 *
 * | code | meaning | retryable |
 * |---|---|---|
 * | `TIMEOUT` | the caller's bound passed; `cause` is the last failure seen | yes |
 * | `ABORTED` | the caller's signal was aborted; `cause` is its reason | no |
 * | `CLOSED` | the manager was closed | no |
 * | `STORE_UNAVAILABLE` | the store did not answer, and without it nothing can be had | yes |
 * | `STORE_INCOMPATIBLE` | the store answered with something this version cannot use | no |
 * | `RECORD_UNREADABLE` | what the store has cannot be opened with this process's keys, and cannot be fetched anew | no |
 * | `FETCH_FAILED` | the credential's own `fetch` failed with an error that is no `TokenError` | yes |
 * | `FETCH_INVALID` | `fetch` returned no usable value or life | yes |
 * | `LIFE_TOO_SHORT` | the upstream's tokens do not live as long as the caller's `minLifeMs` asks | no |
 * | `UPSTREAM_UNAVAILABLE` | the upstream could not be reached, answered 5xx, or did not answer in time | yes |
 * | `UPSTREAM_INVALID_REPLY` | the upstream's reply was not what its documentation says | yes |
 * | `UPSTREAM_REFUSED` | the upstream answered with a code that no rule knows | no |
 * | `RATE_LIMITED` | the upstream throttles; `retryAfterMs` says for how long, when known | yes |
 * | `CONFIGURATION_REJECTED` | app id, secret or app type are not accepted | no |
 * | `TICKET_UNAVAILABLE` | no usable app ticket has been received | yes |
 * | `TICKET_REJECTED` | the upstream refuses the app ticket that was sent | yes |
 * | `TOKEN_REJECTED` | the upstream refuses the token that this one is minted from, also a newer one | yes |
 * | `REAUTHORIZATION_REQUIRED` | the user's refresh token is used up, revoked, expired or unknown | no |
 */
export type TokenErrorCode =
  | 'TIMEOUT'
  | 'ABORTED'
  | 'CLOSED'
  | 'STORE_UNAVAILABLE'
  | 'STORE_INCOMPATIBLE'
  | 'RECORD_UNREADABLE'
  | 'FETCH_FAILED'
  | 'FETCH_INVALID'
  | 'LIFE_TOO_SHORT'
  | 'UPSTREAM_UNAVAILABLE'
  | 'UPSTREAM_INVALID_REPLY'
  | 'UPSTREAM_REFUSED'
  | 'RATE_LIMITED'
  | 'CONFIGURATION_REJECTED'
  | 'TICKET_UNAVAILABLE'
  | 'TICKET_REJECTED'
  | 'TOKEN_REJECTED'
  | 'REAUTHORIZATION_REQUIRED'

/** What the upstream said, as far as it said it. Never contains a credential. */
export interface UpstreamDetail {
  readonly code?: number
  readonly msg?: string
  readonly logId?: string
  readonly httpStatus?: number
}

export interface TokenErrorOptions {
  readonly retryable: boolean
  /** Milliseconds after which a retry can help, when known. */
  readonly retryAfterMs?: number | undefined
  readonly upstream?: UpstreamDetail | undefined
  readonly cause?: unknown
}

/** A registered symbol: two copies of this package in one process recognise each other's errors. */
const BRAND = Symbol.for('@tokenwell/core/TokenError')

/**
 * The one error class of Tokenwell. Messages say what was expected, what came, and the next step; none contains a credential.
 * Wrong arguments are a `TypeError` instead.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  /** Whether the same call can succeed later without anybody changing anything. */
  readonly retryable: boolean
  // Declared only: a field that is not there must not show as undefined.
  declare readonly retryAfterMs?: number
  declare readonly upstream?: UpstreamDetail

  constructor(code: TokenErrorCode, message: string, options: TokenErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
    if (options.upstream !== undefined) this.upstream = options.upstream
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** For logs: `JSON.stringify` of an error leaves its message out. Without the cause, which may be anything. */
  toJSON(): object {
    const { name, code, message, retryable, retryAfterMs, upstream } = this
    return { name, code, message, retryable, retryAfterMs, upstream }
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isTokenError(value)
  }
}

/** Whoever asks something of a manager that takes no more work. */
export function managerClosed(): TokenError {
  return new TokenError('CLOSED', 'The token manager was closed. Create a new one.', { retryable: false })
}

/** Whether a value is a `TokenError`, also one made by another copy of this package. */
export function isTokenError(value: unknown): value is TokenError {
  try {
    return typeof value === 'object' && value !== null && BRAND in value
  } catch {
    // A proxy that cannot be asked.
    return false
  }
}
