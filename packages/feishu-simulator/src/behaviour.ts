/**
 * What the documentation leaves open or real deployments answer in more than one way. A client is right only if it works with every
 * choice.
 */
export interface Behaviour {
  /** Milliseconds a ticket stays valid after it was issued. Default: without end, until `invalidateTicket`. */
  readonly ticketLifeMs: number
  /** How many of the newest tickets are valid at once, 1 or more. Default: all of them. */
  readonly ticketsKept: number
  /** Whether a resend makes a new ticket or pushes the newest valid one again. Default `'new'`. */
  readonly resend: 'new' | 'same'
  /** Milliseconds between the reply to a resend and the push of the ticket. Default 0. */
  readonly resendDelayMs: number
  /** Whether a redelivery carries the `ts` of the first attempt or a new one. Default `'first'`. */
  readonly redeliveryTs: 'first' | 'new'
  /** HTTP status of a refusal by a token endpoint. Default 200: the refusal is in the body's `code`. */
  readonly authErrorStatus: 200 | 400
  /** HTTP status of a refusal of a token by any other endpoint. Default 400. */
  readonly apiErrorStatus: 200 | 400 | 401
  /** HTTP status of a rate limit. Default 429. */
  readonly rateLimitStatus: 400 | 429
  /** `code` of the tenant token endpoint for a dead `app_access_token`. Default 99991664. */
  readonly deadAppTokenCode: 99991664 | 10013
  /**
   * `'short'`: `a-`, `t-`, `u-` or `ur-` and 40 characters; `'jwt'`: about 4,000 characters without a prefix, as newer tokens are.
   * Default `'short'`.
   */
  readonly tokenForm: 'short' | 'jwt'
  /** Whether the app token of a custom app is a value of its own or, as in the documented example, its tenant token. Default `'own'`. */
  readonly customAppToken: 'own' | 'tenant'
  /** HTTP status of a refusal by an OAuth endpoint. Default 400, as documented. */
  readonly oauthErrorStatus: 200 | 400
  /** Whether a refresh token that comes a second time costs the whole login or is only refused. Default `'revoke-login'`. */
  readonly refreshReuse: 'revoke-login' | 'refuse'
  /** Whether a refresh leaves the user's earlier access tokens valid until their end. Default `'valid'`. */
  readonly oldUserToken: 'valid' | 'revoked'
}

export const DEFAULT_BEHAVIOUR: Behaviour = {
  ticketLifeMs: Number.POSITIVE_INFINITY,
  ticketsKept: Number.POSITIVE_INFINITY,
  resend: 'new',
  resendDelayMs: 0,
  redeliveryTs: 'first',
  authErrorStatus: 200,
  apiErrorStatus: 400,
  rateLimitStatus: 429,
  deadAppTokenCode: 99991664,
  tokenForm: 'short',
  customAppToken: 'own',
  oauthErrorStatus: 400,
  refreshReuse: 'revoke-login',
  oldUserToken: 'valid',
}
