import { createCipheriv, createHash } from 'node:crypto'
import type { Fields } from './endpoints.ts'

/** How an event is written. Everything can be overridden, so that a test can also forge, tamper with or repeat one. */
export interface EventForm {
  /** Default `'v1'`. */
  readonly schema?: 'v1' | 'v2'
  /** Default: whether the app has an `encryptKey`. */
  readonly encrypted?: boolean
  /** Default: the app's `signed`. */
  readonly signed?: boolean
  /** Default: the app's `encryptKey`. Encrypts and signs. */
  readonly encryptKey?: string
  /** The verification token. Default: the app's. */
  readonly token?: string
  /** `uuid` of v1, `header.event_id` of v2. Default: random. */
  readonly uuid?: string
  /** Seconds since the Unix epoch with a fraction, as text. Default: the simulator's time. v2 carries it as `header.create_time` in whole ms. */
  readonly ts?: string
  /** The app the event says it is for. Default: the app's own id. */
  readonly appId?: string
}

/** Everything an event needs, with nothing left to decide. */
export interface EventParts {
  readonly schema: 'v1' | 'v2'
  readonly token: string
  readonly uuid: string
  readonly ts: string
  readonly appId: string
  /** With a `type`; other fields as the platform's documentation of that type names them. */
  readonly event: Fields
}

/** The decrypted body of an event. */
export function eventEnvelope({ schema, token, uuid, ts, appId, event }: EventParts): Fields {
  if (schema === 'v1') return { ts, uuid, token, type: 'event_callback', event: { app_id: appId, ...event } }
  const { type, ...rest } = event
  return {
    schema: '2.0',
    header: { event_id: uuid, token, create_time: wholeMilliseconds(ts), event_type: type, app_id: appId },
    event: rest,
  }
}

/** Rounded to microseconds before it is cut off, or a binary fraction would lose a millisecond. Text that is no number stays as it is. */
function wholeMilliseconds(seconds: string): string {
  const micros = Math.round(Number(seconds) * 1_000_000)
  return Number.isFinite(micros) ? String(Math.floor(micros / 1000)) : seconds
}

/** How a callback request is sealed. */
export interface Seal {
  /** AES-256-CBC under SHA-256 of this key; absent for a plain body. */
  readonly encryptKey?: string
  /** Absent for an unsigned request. */
  readonly signature?: { readonly key: string; readonly timestamp: string; readonly nonce: string }
  /** 16 bytes. */
  readonly iv: Uint8Array
}

/** A callback request, ready to be sent. */
export interface CallbackRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Encrypts and signs an envelope as asked. */
export function callbackRequest(envelope: Fields, { encryptKey, signature, iv }: Seal): CallbackRequest {
  const plain = JSON.stringify(envelope)
  const body = encryptKey === undefined ? plain : JSON.stringify({ encrypt: encryptText(plain, encryptKey, iv) })
  const headers = { 'Content-Type': 'application/json; charset=utf-8', ...(signature ? signatureHeaders(body, signature) : {}) }
  return { headers, body }
}

function encryptText(plain: string, encryptKey: string, iv: Uint8Array): string {
  const cipher = createCipheriv('aes-256-cbc', createHash('sha256').update(encryptKey).digest(), iv)
  return Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final()]).toString('base64')
}

function signatureHeaders(body: string, { key, timestamp, nonce }: NonNullable<Seal['signature']>): Record<string, string> {
  const signature = createHash('sha256')
    .update(timestamp + nonce + key + body)
    .digest('hex')
  return { 'X-Lark-Request-Timestamp': timestamp, 'X-Lark-Request-Nonce': nonce, 'X-Lark-Signature': signature }
}

/** Times of events, each later than the one before by a microsecond at least. */
export class EventTimes {
  #latestMicros = 0

  /** Seconds since the Unix epoch with six decimals, as text. */
  next(nowMs: number): string {
    this.#latestMicros = Math.max(this.#latestMicros + 1, Math.floor(nowMs * 1000))
    const digits = String(this.#latestMicros).padStart(7, '0')
    return `${digits.slice(0, -6)}.${digits.slice(-6)}`
  }
}
