import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto'
import { isStorable } from '../credential.ts'
import type { Version } from '../store.ts'
import { type AnyHeaders, header } from './headers.ts'
import { isJsonObject, type JsonObject, parseJsonObject } from './raw-body.ts'

/** Events of the platform are a few kilobytes; beyond this nobody reads on. */
export const MAX_EVENT_BYTES = 1024 * 1024

/** Of a ticket and of the id of its event, characters. */
export const LONGEST_TICKET = 10_000
export const LONGEST_ID = 200

/** Whom to believe. Several tokens or keys are given while one of them is being changed; none may be empty text. */
export interface EventRules {
  readonly appId: string
  /** With none, every event is refused. */
  readonly verificationTokens: readonly string[]
  /** With one or more, every event must be encrypted and signed. */
  readonly encryptKeys: readonly string[]
}

/**
 * What a pushed request turned out to be.
 * - `challenge`: the platform checks that this URL is ours; reply `{"challenge": …}` at once.
 * - `ticket`: an app ticket for this app. `eventTime` orders tickets: microseconds since the epoch by the platform's clock; `id` tells
 *   redeliveries of one event apart from other events.
 * - `other`: any other event for this app, decrypted and verified, as parsed JSON.
 * - `refused`: not to be believed. `reason` is for people and quotes nothing of the request.
 */
export type EventReading =
  | { readonly kind: 'challenge'; readonly challenge: string }
  | { readonly kind: 'ticket'; readonly ticket: string; readonly eventTime: Version; readonly id: string }
  | { readonly kind: 'other'; readonly event: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 401 | 403 | 413; readonly reason: string }

/**
 * Verifies and decodes one pushed request. Never throws, whatever was sent.
 *
 * The age of a signed request is not checked: the platform redelivers for hours, and a replayed ticket loses by its `eventTime`.
 *
 * @param request `body` is the raw body: the signature is over its bytes
 */
export function readEvent(request: { readonly headers: AnyHeaders; readonly body: Uint8Array }, rules: EventRules): EventReading {
  if (request.body.byteLength > MAX_EVENT_BYTES) return refused(413, `the body is larger than ${MAX_EVENT_BYTES} bytes`)
  const outer = parseJsonObject(request.body)
  if (outer === undefined) return refused(400, 'the body is not a JSON object')

  if (rules.encryptKeys.length === 0) {
    if (outer.encrypt === undefined) return readVerified(outer, rules)
    return refused(400, 'the event is encrypted, and no encrypt key is configured: set events.encryptKey as in the developer console')
  }
  if (typeof outer.encrypt !== 'string') return refused(401, 'the event is not encrypted although an encrypt key is configured')

  const event = decrypt(outer.encrypt, rules.encryptKeys)
  if (hasValidSignature(request, rules.encryptKeys)) {
    return event === undefined ? refused(400, 'the event cannot be decrypted with the configured encrypt key') : readVerified(event, rules)
  }
  // The check of the URL is the one request that needs no signature. Everything else that is unsigned gets one and the same answer:
  // told apart, bad padding and bad content would let anybody decrypt a captured event block by block.
  const reading = event === undefined ? undefined : readVerified(event, rules)
  if (reading?.kind === 'challenge') return reading
  return refused(
    401,
    'the signature is missing or wrong: check events.encryptKey, and that the body and the X-Lark-* headers arrive unchanged ' +
      '(a url_verification needs no signature, but the right events.verificationToken)',
  )
}

/** The part of an event that the two formats name differently. */
interface Envelope {
  readonly token: unknown
  readonly appId: unknown
  readonly type: unknown
  readonly id: unknown
  /** Microseconds since the epoch; `undefined` when it is not readable. */
  readonly eventTime: Version | undefined
}

function readVerified(event: JsonObject, rules: EventRules): EventReading {
  const content = isJsonObject(event.event) ? event.event : {}
  const { token, appId, type, id, eventTime } = event.schema === '2.0' ? envelopeV2(event) : envelopeV1(event, content)

  if (!isOneOf(token, rules.verificationTokens)) {
    return refused(401, 'the verification token is missing or wrong: check events.verificationToken against the developer console')
  }
  if (event.type === 'url_verification') {
    const { challenge } = event
    return isText(challenge) ? { kind: 'challenge', challenge } : refused(400, 'url_verification without a challenge')
  }
  if (type !== 'app_ticket') {
    const foreign = appId !== undefined && appId !== rules.appId
    return foreign ? refused(403, 'the event is for another app') : { kind: 'other', event }
  }
  if (appId !== rules.appId) return refused(403, 'the app ticket is for another app')
  // What no store can keep would be delivered again and again.
  if (!isStorable(content.app_ticket, LONGEST_TICKET)) return refused(400, 'app_ticket event without a ticket that can be stored')
  if (!isStorable(id, LONGEST_ID)) return refused(400, 'app_ticket event without an id that can be stored (uuid, or header.event_id)')
  if (eventTime === undefined)
    return refused(400, 'app_ticket event without a readable time (ts in seconds, or header.create_time in milliseconds)')
  return { kind: 'ticket', ticket: content.app_ticket, eventTime, id }
}

function envelopeV1(event: JsonObject, content: JsonObject): Envelope {
  return { token: event.token, appId: content.app_id, type: content.type, id: event.uuid, eventTime: microsecondsOf(event.ts, 6) }
}

function envelopeV2(event: JsonObject): Envelope {
  const head = isJsonObject(event.header) ? event.header : {}
  return {
    token: head.token,
    appId: head.app_id,
    type: head.event_type,
    id: head.event_id,
    eventTime: microsecondsOf(head.create_time, 3),
  }
}

/**
 * A decimal number as text, shifted by `decimals` digits and cut there. By digits, not by float: a float has no room for the
 * microseconds of today's seconds plus the digit that the platform sends beyond them.
 */
export function microsecondsOf(text: unknown, decimals: number): Version | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = '', fraction = ''] = match
  const time = Number(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
  return Number.isSafeInteger(time) && time > 0 ? time : undefined
}

/** Hex SHA-256 over timestamp, nonce, key and raw body, by any of the keys. */
function hasValidSignature(
  { headers, body }: { readonly headers: AnyHeaders; readonly body: Uint8Array },
  keys: readonly string[],
): boolean {
  const timestamp = header(headers, 'x-lark-request-timestamp') ?? ''
  const nonce = header(headers, 'x-lark-request-nonce') ?? ''
  const signatures = keys.map((key) =>
    createHash('sha256')
      .update(timestamp + nonce + key)
      .update(body)
      .digest('hex'),
  )
  return isOneOf(header(headers, 'x-lark-signature')?.toLowerCase(), signatures)
}

/**
 * AES-256-CBC with PKCS7 padding under SHA-256 of an encrypt key; the first 16 bytes are the initialisation vector.
 * A wrong key passes the padding once in 256 times: only a JSON object counts as decrypted.
 */
function decrypt(base64: string, keys: readonly string[]): JsonObject | undefined {
  const bytes = Buffer.from(base64, 'base64')
  for (const key of keys) {
    try {
      const decipher = createDecipheriv('aes-256-cbc', sha256(key), bytes.subarray(0, 16))
      const event = parseJsonObject(Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]))
      if (event !== undefined) return event
    } catch {
      // Truncated, or encrypted with another key.
    }
  }
  return undefined
}

/** Compares in constant time: digests have one length, and every candidate is looked at. */
function isOneOf(given: unknown, expected: readonly string[]): boolean {
  if (!isText(given)) return false
  const digest = sha256(given)
  return expected.filter((candidate) => timingSafeEqual(digest, sha256(candidate))).length > 0
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function refused(status: 400 | 401 | 403 | 413, reason: string): EventReading {
  return { kind: 'refused', status, reason }
}
