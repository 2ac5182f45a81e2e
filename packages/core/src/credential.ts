import type { MissingDependency } from './failure.ts'
import type { Policy } from './machine/policy.ts'
import type { Token } from './token.ts'

/** What a `fetch` is given. */
export interface FetchContext {
  /** Aborted at the deadline, or when the result is no longer wanted. */
  readonly signal: AbortSignal
  /** The token this process has, whatever it is still good for. */
  readonly previous: Pick<Token, 'value' | 'version'> | undefined
}

/** What a `fetch` returns. */
export interface Fetched {
  /** The credential: 1 to 16,000 characters of well-formed Unicode without U+0000. Its form is nobody's business here. */
  readonly value: string
  /** Life remaining when the upstream answered, milliseconds. */
  readonly expiresInMs: number
}

/** What a credential that belongs to this package may use beyond {@link FetchContext}. */
export interface InternalFetchContext extends FetchContext {
  /** The store does not answer: only what is in this process's memory can be used. */
  readonly detached: boolean
  /**
   * To be called right before a request is sent: a process that was paused meanwhile must not send one under a lease that has run out.
   * @throws TokenError `UPSTREAM_UNAVAILABLE` when the deadline has passed.
   */
  assertInTime(): void
}

/** A kind of token: how to fetch it and how to tell that it is refused. */
export interface Credential {
  /** Part of the record's key; holds no secret. */
  readonly key: string
  readonly policy: Policy
  fetch(context: InternalFetchContext): Promise<Fetched>
  /** What has to be there before it makes sense to claim the right to fetch; undefined when all is there. Does no I/O. */
  missing?(): MissingDependency | undefined
  /** Digest of the configuration, so that a corrected one is not held back by the old one's failures. */
  readonly config?: string | undefined
  /** Whether the outcome of a call, its result or what it threw, says that the token was refused. */
  readonly isRejected: (outcome: unknown) => boolean
}

/** The longest life that is believed, milliseconds: ten years. */
const LONGEST_LIFE_MS = 10 * 366 * 24 * 3_600_000

/** The longest value that every store keeps, characters: whatever they are, sealed they are within 64 KiB. */
const LONGEST_VALUE = 16_000

/** Not empty, not too long, and nothing that a database of text cannot hold. */
export function isStorable(text: unknown, longest: number): text is string {
  return typeof text === 'string' && text !== '' && text.length <= longest && text.isWellFormed() && !text.includes('\0')
}

/** Whether what a `fetch` returned can be used. */
export function isFetched(value: unknown): value is Fetched {
  if (typeof value !== 'object' || value === null) return false
  const { value: text, expiresInMs } = value as Record<string, unknown>
  return isStorable(text, LONGEST_VALUE) && typeof expiresInMs === 'number' && expiresInMs > 0 && expiresInMs <= LONGEST_LIFE_MS
}

/** The default for an upstream nobody knows: an HTTP status of 401, wherever clients put it. */
export function isUnauthorized(outcome: unknown): boolean {
  if (typeof outcome !== 'object' || outcome === null) return false
  const { status, statusCode, response } = outcome as Record<string, unknown>
  return status === 401 || statusCode === 401 || (response !== undefined && response !== outcome && isUnauthorized(response))
}
