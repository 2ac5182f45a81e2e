import type { TokenErrorCode } from '../errors.ts'

/** What a `code` in the body of a reply means for the caller. */
export interface UpstreamCode {
  readonly code: TokenErrorCode
  readonly retryable: boolean
  /** What to do about it: one or more whole sentences. */
  readonly advice: string
}

const badConfiguration: UpstreamCode = {
  code: 'CONFIGURATION_REJECTED',
  retryable: false,
  advice: 'Check appId, appSecret and appType against the developer console, and that the app is published.',
}

const transient: UpstreamCode = {
  code: 'UPSTREAM_UNAVAILABLE',
  retryable: true,
  advice: 'This passes by itself: try again after a pause.',
}

/**
 * The codes that a mint of an app token and a resend of its ticket are known to answer. A code means the same on every HTTP status.
 * One that is not listed is `UPSTREAM_REFUSED`.
 */
export const UPSTREAM_CODES: ReadonlyMap<number, UpstreamCode> = new Map([
  [
    10012,
    {
      code: 'TICKET_REJECTED',
      retryable: true,
      advice:
        'The app ticket is void: only a newer one helps. The platform pushes one every hour and after a resend; ' +
        'check that app_ticket events reach this fleet.',
    },
  ],
  [10003, badConfiguration],
  [10014, badConfiguration],
  [20002, badConfiguration],
  [99991543, badConfiguration],
  [99991400, { code: 'RATE_LIMITED', retryable: true, advice: 'The whole fleet must slow down for as long as the upstream says.' }],
  [2200, transient],
  [20050, transient],
  [20072, transient],
])

/**
 * The codes by which any API of the platform says that the app or tenant token it was called with is no longer valid.
 * Missing scopes, a disabled app and user tokens have codes of their own: another app token would not help there.
 */
export const REJECTED_TOKEN_CODES: ReadonlySet<number> = new Set([
  99991663, // tenant token invalid
  99991664, // app token invalid
  99991671, // malformed token
  99991665, // token invalid, in some sources
  10013, // token invalid, in some sources
])
