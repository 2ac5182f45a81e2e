import { TokenError, type TokenErrorCode, type UpstreamDetail } from '../errors.ts'
import { scrub } from '../scrub.ts'
import { header } from './headers.ts'
import { isJsonObject, type JsonObject, parseJsonObject } from './raw-body.ts'
import { UPSTREAM_CODES } from './upstream-codes.ts'

/** What came back from the upstream, before anybody believed any of it. */
export interface UpstreamReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/** The documentation says at most 2 h; what claims far more is not believed. */
const LONGEST_LIFE_MS = 24 * 3_600_000
/** What the platform gives today, where it does not say. */
const USUAL_LIFE_MS = 2 * 3_600_000
const USUAL_REFRESH_LIFE_MS = 7 * 24 * 3_600_000
const LONGEST_REFRESH_LIFE_MS = 400 * 24 * 3_600_000
const LONGEST_RETRY_AFTER_MS = 3_600_000
const LONGEST_FOREIGN_TEXT = 200

/**
 * Reads the reply to `buildAppAccessTokenRequest`.
 *
 * @param secrets what must not appear in an error even if the upstream echoes it: the app secret and the ticket
 * @returns the token and its remaining life in milliseconds, in (0, 24 h]
 * @throws TokenError `TICKET_REJECTED`, `CONFIGURATION_REJECTED`, `RATE_LIMITED`, `UPSTREAM_UNAVAILABLE`, `UPSTREAM_INVALID_REPLY` or
 *   `UPSTREAM_REFUSED`
 */
export function parseAppAccessTokenReply(reply: UpstreamReply, secrets: readonly string[]): Minted {
  return minted(readAnswer('minting the app_access_token', reply, secrets), 'app_access_token')
}

/**
 * Reads the reply to `buildTenantAccessTokenRequest`.
 *
 * @param secrets what must not appear in an error even if the upstream echoes it: the app token
 * @returns the token and its remaining life in milliseconds, in (0, 24 h]
 * @throws TokenError as {@link parseAppAccessTokenReply}, and `TOKEN_REJECTED` when the app token is refused
 */
export function parseTenantAccessTokenReply(reply: UpstreamReply, secrets: readonly string[]): Minted {
  return minted(readAnswer('minting the tenant_access_token', reply, secrets), 'tenant_access_token')
}

/** A token and its remaining life, as the upstream gave them. */
export interface Minted {
  readonly value: string
  readonly expiresInMs: number
}

/**
 * Reads the reply to `buildCustomAppTokensRequest`, which brings two tokens that end together.
 *
 * @param secrets what must not appear in an error even if the upstream echoes it: the app secret
 * @throws TokenError as {@link parseAppAccessTokenReply}
 */
export function parseCustomAppTokensReply(
  reply: UpstreamReply,
  secrets: readonly string[],
): { readonly app: string; readonly tenant: string; readonly expiresInMs: number } {
  const answer = readAnswer('minting the tokens of a custom app', reply, secrets)
  const app = minted(answer, 'app_access_token')
  return { app: app.value, tenant: minted(answer, 'tenant_access_token').value, expiresInMs: app.expiresInMs }
}

/**
 * Reads the reply to `buildJsapiTicketRequest`.
 *
 * @param secrets what must not appear in an error even if the upstream echoes it: the tenant token
 * @throws TokenError as {@link parseTenantAccessTokenReply}
 */
export function parseJsapiTicketReply(reply: UpstreamReply, secrets: readonly string[]): Minted {
  const answer = readAnswer('getting the jsapi ticket', reply, secrets)
  const { data } = accepted(answer)
  const { ticket, expire_in } = isJsonObject(data) ? data : {}
  return usable(answer, ['data.ticket', ticket], ['data.expire_in', expire_in])
}

/** The tokens of a user, as the upstream granted them. */
export interface GrantedLogin {
  readonly access: string
  readonly expiresInMs: number
  /** Absent without the scope `offline_access`. */
  readonly refresh?: string
  /** Life of the refresh token, milliseconds; 0 without one. */
  readonly refreshExpiresInMs: number
  readonly scope?: string
}

/**
 * Reads the reply to `buildUserTokenRequest`.
 *
 * @param doing what was being done, to begin a message with
 * @param secrets what must not appear in an error even if the upstream echoes it: the app secret, and the code or the refresh token
 * @throws TokenError as {@link parseAppAccessTokenReply}, and `REAUTHORIZATION_REQUIRED`
 */
export function parseUserTokenReply(doing: string, reply: UpstreamReply, secrets: readonly string[]): GrantedLogin {
  const answer = readAnswer(doing, reply, secrets)
  const { access_token, expires_in, refresh_token, refresh_token_expires_in, scope } = accepted(answer)
  const isRefreshable = typeof refresh_token === 'string' && refresh_token !== ''
  // What it was got with is used up: a refresh token is worth keeping, whatever is said of lives.
  const life = isRefreshable ? believable(expires_in, USUAL_LIFE_MS, LONGEST_LIFE_MS) / 1000 : expires_in
  const { value: access, expiresInMs } = usable(answer, ['access_token', access_token], ['expires_in', life])
  const granted = { access, expiresInMs, ...(typeof scope === 'string' ? { scope } : {}) }
  if (!isRefreshable) return { ...granted, refreshExpiresInMs: 0 }
  const refreshExpiresInMs = believable(refresh_token_expires_in, USUAL_REFRESH_LIFE_MS, LONGEST_REFRESH_LIFE_MS)
  return { ...granted, refresh: refresh_token, refreshExpiresInMs }
}

/** Milliseconds of a life that was given in seconds, at most `longestMs`; `usualMs` where nothing usable was given. */
function believable(seconds: unknown, usualMs: number, longestMs: number): number {
  return typeof seconds === 'number' && seconds >= 1 ? Math.min(Math.floor(seconds * 1000), longestMs) : usualMs
}

function minted(answer: Answer, field: 'app_access_token' | 'tenant_access_token'): Minted {
  const { [field]: value, expire } = accepted(answer)
  return usable(answer, [field, value], ['expire', expire])
}

/** A token and its life as they came, each with the name of its field. */
function usable(answer: Answer, [field, value]: readonly [string, unknown], [lifeField, seconds]: readonly [string, unknown]): Minted {
  if (typeof value !== 'string' || value === '') {
    throw invalid(answer, `code 0 without a usable ${field} (expected text, got ${kindOf(value)})`)
  }
  if (typeof seconds !== 'number')
    throw invalid(answer, `code 0 without a usable ${lifeField} (expected seconds as a number, got ${kindOf(seconds)})`)
  const expiresInMs = Math.floor(seconds * 1000)
  if (expiresInMs <= 0) throw invalid(answer, `a token that has already expired (${lifeField} ${seconds})`)
  if (expiresInMs > LONGEST_LIFE_MS)
    throw invalid(answer, `a token with a life beyond belief (${lifeField} ${seconds} seconds, documented: at most 7200)`)
  return { value, expiresInMs }
}

/**
 * Reads the reply to `buildAppTicketResendRequest`: it says whether the ticket will be pushed, and carries nothing.
 *
 * @param secrets what must not appear in an error even if the upstream echoes it: the app secret
 * @throws TokenError `CONFIGURATION_REJECTED`, `RATE_LIMITED`, `UPSTREAM_UNAVAILABLE`, `UPSTREAM_INVALID_REPLY` or `UPSTREAM_REFUSED`
 */
export function parseAppTicketResendReply(reply: UpstreamReply, secrets: readonly string[]): void {
  accepted(readAnswer('asking for the app_ticket again', reply, secrets))
}

/** A reply, read as far as it can be read. */
interface Answer {
  /** What was being done, to begin a message with. */
  readonly doing: string
  readonly reply: UpstreamReply
  /** `undefined` when the body is not a JSON object. */
  readonly fields: JsonObject | undefined
  readonly upstream: UpstreamDetail
}

function readAnswer(doing: string, reply: UpstreamReply, secrets: readonly string[]): Answer {
  const fields = parseJsonObject(reply.body)
  const { code, msg = fields?.error_description } = fields ?? {}
  const all = [...secrets, ...credentialsIn(fields)]
  const id = logId(reply.headers, all)
  const upstream: UpstreamDetail = {
    httpStatus: reply.status,
    ...(Number.isSafeInteger(code) ? { code: Number(code) } : {}),
    ...(typeof msg === 'string' ? { msg: foreignText(msg, all) } : {}),
    ...(id === undefined ? {} : { logId: id }),
  }
  return { doing, reply, fields, upstream }
}

/**
 * The fields of a successful reply. The body's `code` decides, on any HTTP status; the status speaks only where the body says nothing
 * that is known, and where it says that somebody else answered (redirects, throttling).
 */
function accepted(answer: Answer): JsonObject {
  const { fields, upstream } = answer
  const { code } = upstream
  const status = answer.reply.status
  const known = code === undefined ? undefined : UPSTREAM_CODES.get(code)
  if (known !== undefined) throw failure(answer, known.code, known.retryable, saying(upstream), known.advice)
  if (status === 429) throw failure(answer, 'RATE_LIMITED', true, saying(upstream), 'The whole fleet must slow down.')
  if (status >= 300 && status <= 399) {
    throw failure(
      answer,
      'UPSTREAM_INVALID_REPLY',
      true,
      `a redirect (${saying(upstream)})`,
      'Redirects are not followed with a secret: check the option domain, and any proxy on the way.',
    )
  }
  if (fields !== undefined && code === 0) return fields
  if (status >= 500)
    throw failure(answer, 'UPSTREAM_UNAVAILABLE', true, saying(upstream), 'This passes by itself: try again after a pause.')
  if (code !== undefined) {
    throw failure(
      answer,
      'UPSTREAM_REFUSED',
      false,
      saying(upstream),
      'This code is not known here: look it up in the documentation of the platform, or ask its support with the log id.',
    )
  }
  throw invalid(answer, fields === undefined ? shapeOf(answer.reply.body) : `JSON without an integer code (code is ${kindOf(fields.code)})`)
}

function invalid(answer: Answer, came: string): TokenError {
  return failure(
    answer,
    'UPSTREAM_INVALID_REPLY',
    true,
    `${came}; ${saying(answer.upstream)}`,
    'Check the option domain, and whether a proxy or gateway answers in place of the platform.',
  )
}

function failure(answer: Answer, code: TokenErrorCode, retryable: boolean, came: string, advice: string): TokenError {
  const retryAfterMs = code === 'RATE_LIMITED' ? askedWaitMs(answer.reply.headers) : undefined
  const wait = retryAfterMs === undefined ? '' : ` Next try in ${retryAfterMs} ms.`
  return new TokenError(code, `${answer.doing}: the upstream answered ${came}. ${advice}${wait}`, {
    retryable,
    retryAfterMs,
    upstream: answer.upstream,
  })
}

function saying({ code, msg, httpStatus, logId }: UpstreamDetail): string {
  const parts = [
    code === undefined ? undefined : `code ${code}`,
    msg === undefined || msg === '' ? undefined : `msg ${JSON.stringify(msg)}`,
    `HTTP ${httpStatus}`,
    logId === undefined ? undefined : `log id ${logId}`,
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}

/** Milliseconds to stay away, at most 1 h. Zero tells nothing, so the caller's own backoff applies. Dates are ignored: no clock here. */
export function askedWaitMs(headers: UpstreamReply['headers']): number | undefined {
  for (const name of ['x-ogw-ratelimit-reset', 'retry-after']) {
    const text = header(headers, name)?.trim() ?? ''
    if (!/^\d+(\.\d+)?$/.test(text)) continue
    const ms = Math.ceil(Number(text) * 1000)
    if (ms > 0) return Math.min(ms, LONGEST_RETRY_AFTER_MS)
  }
  return undefined
}

/** The id under which the platform's support finds the request. */
export function logId(headers: UpstreamReply['headers'], secrets: readonly string[]): string | undefined {
  const id = header(headers, 'x-tt-logid') || header(headers, 'x-request-id')
  return id ? foreignText(id, secrets) : undefined
}

/** Text from outside, fit for an error: without secrets, without line breaks that could forge a log line, and not longer than a line. */
function foreignText(text: string, secrets: readonly string[]): string {
  // Scrubbed before it is cut: half a secret would not be recognised any more.
  const clean = scrub(text, secrets)
  const short = clean.length > LONGEST_FOREIGN_TEXT ? `${clean.slice(0, LONGEST_FOREIGN_TEXT - 1)}…` : clean
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
}

/** Values of a reply that a careless `msg` beside them might repeat. */
function credentialsIn(fields: JsonObject | undefined): string[] {
  const { app_access_token, tenant_access_token, app_ticket, access_token, refresh_token, data } = fields ?? {}
  const ticket = isJsonObject(data) ? data.ticket : undefined
  const all = [app_access_token, tenant_access_token, app_ticket, access_token, refresh_token, ticket]
  return all.filter((value) => typeof value === 'string')
}

/** Tells bodies apart without quoting them. */
function shapeOf(body: Uint8Array): string {
  if (body.byteLength === 0) return 'an empty body'
  const start = Buffer.from(body.subarray(0, 64)).toString('latin1').trimStart()
  return start.startsWith('<') ? `an HTML page of ${body.byteLength} bytes` : `${body.byteLength} bytes that are not a JSON object`
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === '') return 'empty text'
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}
