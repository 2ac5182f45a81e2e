import { PATHS } from './platform-answers.ts'

/** An endpoint of the platform; `api` is every path that no other name covers. */
export type FakeEndpoint =
  | 'app_access_token'
  | 'tenant_access_token'
  | 'app_access_token_internal'
  | 'app_ticket_resend'
  | 'oauth_token'
  | 'jsapi_ticket'
  | 'api'

/** What the platform answers a request with, in place of what it would answer by itself. `timeout`: nothing at all. */
export type FakeReply = FakeToken | FakeRefusal | FakeStatus | 'timeout'

/** A new token; for a custom app both of them, for `oauth_token` the access token, for `jsapi_ticket` the ticket. */
export interface FakeToken {
  /** The token itself. Default: the next of its kind, such as `a-2` or `t-acme-2`. */
  readonly value?: string
  /** How long it lives, milliseconds, whole seconds of at least 1 and at most 24 h. Default 2 h. */
  readonly lifeMs?: number
}

/** A refusal as the platform words it: JSON with a `code`. */
export interface FakeRefusal {
  /** Any code of the platform but 0: 99991663 for a dead tenant token, 10014 for a wrong secret, 99991400 for a rate limit, … */
  readonly code: number
  /** Default: `fake refusal`. */
  readonly msg?: string
  /** HTTP status. Default: 429 for 99991400, else 400. */
  readonly status?: number
  /** How long a rate limit asks to stay away, whole seconds. Default: it does not say. */
  readonly resetSeconds?: number
}

/** A reply of somebody on the way to the platform, such as a proxy: an HTTP status from 200 to 599, and no JSON. */
export interface FakeStatus {
  readonly status: number
}

/** A request to the platform. */
export interface FakeRequest {
  readonly endpoint: FakeEndpoint
  readonly method: string
  /** With the query. */
  readonly path: string
  /** The fields of a JSON body, such as `tenant_key`; empty for any other body. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The header of that name. */
  readonly authorization?: string
  /** When it arrived, milliseconds since the Unix epoch on the clock of the fake. */
  readonly receivedAtMs: number
}

/** Requests that are held back. */
export interface HeldRequests {
  /** How many wait now. */
  readonly waiting: number
  /** Lets those that wait go on, and all that come. */
  release(): void
}

const ENDPOINTS: Readonly<Record<string, FakeEndpoint>> = {
  [PATHS.app]: 'app_access_token',
  [PATHS.tenant]: 'tenant_access_token',
  [PATHS.custom]: 'app_access_token_internal',
  [PATHS.resend]: 'app_ticket_resend',
  [PATHS.user]: 'oauth_token',
  [PATHS.jsapi]: 'jsapi_ticket',
}

/** The endpoint that a path belongs to. */
export function endpointOf(path: string): FakeEndpoint {
  return ENDPOINTS[path.replace(/\?.*$/, '')] ?? 'api'
}

/** @throws TypeError for an endpoint that there is not */
export function checkEndpoint(endpoint: FakeEndpoint): void {
  const known = [...Object.values(ENDPOINTS), 'api']
  if (!known.includes(endpoint)) throw new TypeError(`endpoint: expected one of ${known.join(', ')}, got ${JSON.stringify(endpoint)}`)
}

const GIVES_NO_TOKEN: readonly FakeEndpoint[] = ['api', 'app_ticket_resend']
const LONGEST_LIFE_MS = 24 * 3_600_000

/** @throws TypeError for a reply that no endpoint, or not this one, can give */
export function checkReply(endpoint: FakeEndpoint, reply: FakeReply): void {
  if (reply === 'timeout') return
  if (typeof reply !== 'object' || reply === null) throw wrong("a token, a refusal, a status or 'timeout'", reply)
  const takes = 'code' in reply ? ['code', 'msg', 'status', 'resetSeconds'] : 'status' in reply ? ['status'] : ['value', 'lifeMs']
  const stranger = Object.keys(reply).find((name) => !takes.includes(name))
  if (stranger !== undefined) throw wrong(`${takes.join(', ')} together`, reply)
  if ('status' in reply && reply.status !== undefined && !(reply.status >= 200 && reply.status <= 599)) {
    throw wrong('an HTTP status from 200 to 599', reply)
  }
  if ('code' in reply) {
    if (!Number.isSafeInteger(reply.code) || reply.code === 0) throw wrong('a whole number other than 0 as its code', reply)
  } else if (!('status' in reply)) {
    const { value, lifeMs = 1_000 } = reply
    if (GIVES_NO_TOKEN.includes(endpoint)) throw wrong(`a refusal, a status or 'timeout': ${endpoint} gives no token`, reply)
    if (value === '') throw wrong('a value that is not empty', reply)
    if (lifeMs % 1_000 !== 0 || lifeMs < 1_000 || lifeMs > LONGEST_LIFE_MS) throw wrong('a lifeMs of whole seconds, 1 s to 24 h', reply)
  }
}

function wrong(expected: string, reply: unknown): TypeError {
  return new TypeError(`reply: expected ${expected}, got ${JSON.stringify(reply)}`)
}
