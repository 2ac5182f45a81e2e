import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { header } from '../headers.ts'
import type { Dispatcher } from '../http.ts'
import { type JsonObject, parseJsonObject } from '../raw-body.ts'
import { askedWaitMs } from '../replies.ts'
import { UPSTREAM_CODES } from '../upstream-codes.ts'
import type { RequestController } from './request-controller.ts'

/** Refusals take a few hundred bytes. */
const LONGEST_REFUSAL_BYTES = 16 * 1024

/** How a body begins that refuses nothing: with code 0, or not as an object. */
const REFUSES_NOTHING = /^\s*(?:\{\s*"code"\s*:\s*0\s*[,}]|[^\s{])/
const LONGEST_BEGINNING_BYTES = 64

type Decode = (bytes: Uint8Array, limits: { readonly maxOutputLength: number }) => Uint8Array

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['identity', (bytes) => bytes],
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', brotliDecompressSync],
])

export interface HeldReplyOptions {
  /** The caller's, which gets the reply in the end. */
  readonly handler: Dispatcher.DispatchHandler
  readonly controller: RequestController
  /** What the caller's handler was given when the request began. Redirects that undici follows beneath leave their URLs here. */
  readonly context: { readonly history?: readonly URL[] }
  /** What the URLs of the app's own domain begin with. */
  readonly below: string
  /** The reply has come whole, or was handed on. */
  readonly onReply: (reply: HeldReply) => void
  /** There is no reply, or it broke off before any of it was handed on. */
  readonly onFailure: (error: Error) => void
  /** It broke off after that. */
  readonly onBreak: (error: Error) => void
}

/**
 * One reply on its way to the caller's handler. It is held back as long as it may be a refusal, which is small, JSON, or of status 429; any
 * other is handed on as it comes, with nothing of it kept.
 */
export class HeldReply implements Dispatcher.DispatchHandler {
  /** The body of a reply that came whole while it was held. Where `use()` looks for a code. */
  data: JsonObject | undefined
  readonly #options: HeldReplyOptions
  #status = 0
  #message: string | undefined
  #headers: IncomingHttpHeaders = {}
  #chunks: Buffer[] = []
  #size = 0
  #isHeld = true
  #trailers: IncomingHttpHeaders | undefined

  constructor(options: HeldReplyOptions) {
    this.#options = options
  }

  /** How long the platform asks to stay away, milliseconds; undefined unless it throttles, and says so. */
  get rateLimitMs(): number | undefined {
    const code = this.data?.code
    const known = typeof code === 'number' ? UPSTREAM_CODES.get(code) : undefined
    return this.#isHeld && (this.#status === 429 || known?.code === 'RATE_LIMITED') ? askedWaitMs(this.#headers) : undefined
  }

  /** Hands on what was held back. Does nothing the second time. */
  handOn(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    const { handler, controller } = this.#options
    handler.onResponseStart?.(controller, this.#status, this.#headers, this.#message)
    const chunks = this.#chunks
    this.#chunks = []
    for (const chunk of chunks) handler.onResponseData?.(controller, chunk)
    if (this.#trailers !== undefined) handler.onResponseEnd?.(controller, this.#trailers)
  }

  onRequestStart(current: Dispatcher.DispatchController, context: object): void {
    Object.assign(this.#options.context, context)
    this.#options.controller.attach(current)
  }

  onBodySent(chunk: Buffer): void {
    this.#options.handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#options.handler.onRequestSent?.()
  }

  onResponseStarted(): void {
    this.#options.handler.onResponseStarted?.()
  }

  onRequestUpgrade(current: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders, socket: Duplex): unknown {
    const { handler, controller, onReply } = this.#options
    this.#isHeld = false
    controller.rawHeaders = current.rawHeaders ?? null
    onReply(this)
    return handler.onRequestUpgrade?.(controller, status, headers, socket)
  }

  onResponseStart(current: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders, message?: string): void {
    const { handler, controller, context, below } = this.#options
    controller.rawHeaders = current.rawHeaders ?? null
    if (status < 200) {
      handler.onResponseStart?.(controller, status, headers, message)
      return
    }
    this.#status = status
    this.#headers = headers
    this.#message = message
    const isStranger = context.history?.some(({ href }) => !href.startsWith(below)) === true
    if (isStranger || !mayRefuse(status, headers)) this.#release()
  }

  onResponseData(_current: Dispatcher.DispatchController, chunk: Buffer): void {
    const { handler, controller } = this.#options
    if (!this.#isHeld) {
      handler.onResponseData?.(controller, chunk)
      return
    }
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size > LONGEST_REFUSAL_BYTES || (this.#chunks.length === 1 && this.#refusesNothing(chunk))) this.#release()
  }

  onResponseEnd(current: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    const { handler, controller, onReply } = this.#options
    controller.rawTrailers = current.rawTrailers ?? null
    controller.detach()
    if (!this.#isHeld) {
      handler.onResponseEnd?.(controller, trailers)
      return
    }
    this.#trailers = trailers
    this.data = bodyOf(this.#chunks, this.#headers)
    onReply(this)
  }

  onResponseError(_current: Dispatcher.DispatchController, error: Error): void {
    const { controller, onFailure, onBreak } = this.#options
    controller.detach()
    if (this.#isHeld) onFailure(error)
    else onBreak(error)
  }

  #release(): void {
    this.handOn()
    this.#options.onReply(this)
  }

  #refusesNothing(chunk: Buffer): boolean {
    return (
      this.#status < 300 &&
      codingOf(this.#headers) === 'identity' &&
      REFUSES_NOTHING.test(chunk.toString('latin1', 0, LONGEST_BEGINNING_BYTES))
    )
  }
}

/** Whether a reply that begins so may be a refusal. */
function mayRefuse(status: number, headers: IncomingHttpHeaders): boolean {
  const isReadable = /\bjson\b/i.test(header(headers, 'content-type') ?? '') && DECODERS.has(codingOf(headers))
  const isShort = !(Number(header(headers, 'content-length')) > LONGEST_REFUSAL_BYTES)
  return (isReadable || status === 429) && isShort
}

function codingOf(headers: IncomingHttpHeaders): string {
  return (header(headers, 'content-encoding') || 'identity').trim().toLowerCase()
}

function bodyOf(chunks: readonly Buffer[], headers: IncomingHttpHeaders): JsonObject | undefined {
  try {
    const decode = DECODERS.get(codingOf(headers))
    return decode && parseJsonObject(decode(Buffer.concat(chunks), { maxOutputLength: LONGEST_REFUSAL_BYTES }))
  } catch {
    // Damaged, or larger than a refusal: the caller finds out.
    return undefined
  }
}
