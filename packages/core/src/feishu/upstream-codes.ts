import type { TokenErrorCode } from '../errors.ts'

/** Credentials that a reply can condemn. */
export type Condemned = 'app-ticket' | 'token' | 'user-token' | 'refresh-token'

/** What a `code` in the body of a reply means for the caller. */
export interface UpstreamCode {
  readonly code: TokenErrorCode
  readonly retryable: boolean
  /** What to do about it: one or more whole sentences. */
  readonly advice: string
  /** What the request was made with and is good for nothing any more. Absent: the credentials are not what is wrong. */
  readonly condemns?: Condemned
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

/** App and tenant tokens. What is minted from one takes the next; an API call is repeated with the next. */
const rejectedToken: UpstreamCode = {
  code: 'TOKEN_REJECTED',
  retryable: true,
  condemns: 'token',
  advice:
    'The token it was called with is replaced for the whole fleet and the request repeated once, unless it has itself just come in place of a refused one; this one was refused again.',
}

const rejectedUserToken: UpstreamCode = {
  code: 'TOKEN_REJECTED',
  retryable: true,
  condemns: 'user-token',
  advice: 'The access token of the user has to be refreshed.',
}

const deadRefreshToken: UpstreamCode = {
  code: 'REAUTHORIZATION_REQUIRED',
  retryable: false,
  condemns: 'refresh-token',
  advice: 'The user has to authorise the app again.',
}

const deadCode: UpstreamCode = {
  code: 'REAUTHORIZATION_REQUIRED',
  retryable: false,
  advice: 'A code is good for 5 minutes and one use: send the user to the authorisation page again.',
}

const disabledApp: UpstreamCode = {
  code: 'UPSTREAM_REFUSED',
  retryable: false,
  advice: 'The app is switched off or not installed for this tenant: its administrator has to enable it. Other tenants are not affected.',
}

const missingScope: UpstreamCode = {
  code: 'UPSTREAM_REFUSED',
  retryable: false,
  advice: 'The app or the user lacks a scope: grant it in the developer console. The tokens are not what is wrong.',
}

/**
 * Every code that something is known about. A code means the same on every HTTP status. One that is not listed is `UPSTREAM_REFUSED`.
 *
 * @see https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code
 */
export const UPSTREAM_CODES: ReadonlyMap<number, UpstreamCode> = new Map<number, UpstreamCode>([
  [
    10012,
    {
      code: 'TICKET_REJECTED',
      retryable: true,
      condemns: 'app-ticket',
      advice:
        'The app ticket is void: only a newer one helps. The platform pushes one every hour and after a resend; ' +
        'check that app_ticket events reach this fleet.',
    },
  ],
  [10003, badConfiguration],
  [10014, badConfiguration],
  [20002, badConfiguration],
  [99991543, badConfiguration],
  [99991663, rejectedToken], // tenant token invalid
  [99991664, rejectedToken], // app token invalid
  [99991671, rejectedToken], // malformed token
  [99991665, rejectedToken], // token invalid, in some sources
  [10013, rejectedToken], // token invalid, in some sources
  [99991668, rejectedUserToken], // user token invalid
  [99991677, rejectedUserToken], // user token expired
  [20003, deadCode], // unknown
  [20004, deadCode], // expired
  [20065, deadCode], // used already
  [20026, deadRefreshToken], // invalid
  [20037, deadRefreshToken], // expired
  [20064, deadRefreshToken], // revoked
  [20073, deadRefreshToken], // used already
  [99991662, disabledApp],
  [99991673, disabledApp],
  [99991672, missingScope],
  [99991676, missingScope],
  [99991679, missingScope],
  [99991400, { code: 'RATE_LIMITED', retryable: true, advice: 'The whole fleet must slow down for as long as the upstream says.' }],
  [2200, transient],
  [20050, transient],
  [20072, transient],
])

/** Whether a code says that what the request was made with is no longer good for anything. */
export function condemns(code: number, what: Condemned): boolean {
  return UPSTREAM_CODES.get(code)?.condemns === what
}
