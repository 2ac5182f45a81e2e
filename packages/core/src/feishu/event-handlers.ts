import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Clock, systemClock } from '../clock.ts'
import { undisturbed } from '../events.ts'
import { checkFunction, checkMethods, checkObject } from '../options.ts'
import { MAX_EVENT_BYTES } from './event.ts'
import type { AnyHeaders } from './headers.ts'
import { rawBodyNeeded, rawBytes } from './raw-body.ts'

/** What to answer the platform, and what else was in the request. */
export interface EventReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Whether the request needs nothing more: a challenge or a ticket, or one that was refused. */
  readonly handled: boolean
  /** Any other event of the platform, verified and decrypted. */
  readonly event?: unknown
}

/** What receives events: the object made by `createFeishuTokens`. */
export interface EventReceiver {
  receiveEvent(input: { readonly headers: AnyHeaders; readonly body: Uint8Array }): Promise<EventReply>
}

export interface EventHandlerOptions {
  /**
   * Called with every event that is not for Tokenwell, and awaited: the platform wants its answer within 3 s. When it fails, 500 is
   * answered, so that the platform delivers the event again.
   */
  readonly onEvent?: (event: unknown) => unknown
  /**
   * Told why 500 was answered: `onEvent` or `receiveEvent` failed, or the body was parsed before it came here. What it throws is ignored.
   * Without it a 500 for a failed event leaves no other trace.
   */
  readonly onError?: (error: unknown) => void
  /** Times the reading of the body. Default: the machine's clock. */
  readonly clock?: Clock
}

/** Well above what an event needs, well below what would let slow senders pile up. */
const READ_TIMEOUT_MS = 10_000

/**
 * A handler for frameworks that speak the Fetch API.
 *
 * @example app.post('/feishu/events', (c) => handle(c.req.raw))   // Hono, with handle = createWebEventHandler(tokens)
 * @returns a function that answers whatever happens. Without `onError` it rejects with a TypeError if the body of the request was read already.
 * @throws TypeError for `tokens` that cannot receive events, and for an option that is out of range
 */
export function createWebEventHandler(tokens: EventReceiver, options: EventHandlerOptions = {}): (request: Request) => Promise<Response> {
  checkHandler('createWebEventHandler', tokens, options)
  const { clock = systemClock } = options
  return async (request) => {
    const { status, headers, body } = await answer(tokens, options, request, () => readWebBody(request, clock))
    // A status such as 204 takes no body, not even an empty one.
    return new Response(body === '' ? null : body, { status, headers })
  }
}

/**
 * A handler for `node:http` and for frameworks built on it.
 *
 * @example app.post('/feishu/events', createNodeEventHandler(tokens))   // Express
 * @returns a function that answers whatever happens. Without `onError` it rejects with a TypeError, after answering 500, if the body was parsed
 *   already: a framework that does not look at promises, and `node:http` itself, let that end the process.
 * @throws TypeError for `tokens` that cannot receive events, and for an option that is out of range
 */
export function createNodeEventHandler(
  tokens: EventReceiver,
  options: EventHandlerOptions = {},
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  checkHandler('createNodeEventHandler', tokens, options)
  const { clock = systemClock } = options
  return async (request, response) => {
    try {
      write(response, await answer(tokens, options, request, () => readNodeBody(request, clock)))
    } catch (error) {
      write(response, failed)
      throw error
    }
  }
}

async function answer(
  tokens: EventReceiver,
  { onEvent, onError }: EventHandlerOptions,
  request: { readonly method?: string | undefined; readonly headers: AnyHeaders },
  read: () => Promise<Uint8Array | EventReply>,
): Promise<EventReply> {
  if (request.method !== 'POST') return plain(405, 'events are sent with POST', { allow: 'POST' })
  let isRead = false
  try {
    const body = await read()
    isRead = true
    if (!(body instanceof Uint8Array)) return body
    const reply = await tokens.receiveEvent({ headers: request.headers, body })
    if (reply.event !== undefined) await onEvent?.(reply.event)
    return reply
  } catch (error) {
    // The handler is mounted in the wrong place. If nobody is to be told, it has to be seen all the same.
    if (!isRead && onError === undefined) throw error
    undisturbed(onError, error)
    return failed
  }
}

function checkHandler(where: string, tokens: EventReceiver, options: EventHandlerOptions): void {
  checkMethods(tokens, 'tokens', ['receiveEvent'])
  checkObject(options, where, ['onEvent', 'onError', 'clock'])
  const { onEvent, onError, clock } = options
  if (onEvent !== undefined) checkFunction(onEvent, 'onEvent')
  if (onError !== undefined) checkFunction(onError, 'onError')
  if (clock !== undefined) checkMethods(clock, 'clock', ['wall', 'monotonic', 'schedule'])
}

async function readWebBody(request: Request, clock: Clock): Promise<Uint8Array | EventReply> {
  if (request.bodyUsed || request.body?.locked)
    throw rawBodyNeeded('a Request whose body was read already: pass it on before reading, or pass a clone()')
  if (request.body === null) return new Uint8Array()
  if (isTooLong(request.headers.get('content-length'))) return tooLarge
  const reader = request.body.getReader()
  const { signal } = request
  const body = await collect(
    () => reader.read(),
    clock,
    (interrupt) => {
      const onAbort = () => interrupt(interrupted)
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      return () => signal.removeEventListener('abort', onAbort)
    },
  )
  // Not awaited, and free to fail: a source that does not end may not answer either.
  if (!(body instanceof Uint8Array)) reader.cancel().catch(() => {})
  return body
}

async function readNodeBody(request: IncomingMessage & { readonly body?: unknown }, clock: Clock): Promise<Uint8Array | EventReply> {
  const { body: parsed } = request
  if (parsed !== undefined && !isUntouched(request, parsed)) return rawBytes(parsed)
  if (request.readableDidRead) throw rawBodyNeeded('a request whose body was read already')
  if (request.readableEncoding !== null) throw rawBodyNeeded('a request that decodes its body (setEncoding)')
  if (isTooLong(request.headers['content-length'])) return tooLarge
  // Never told to return: that would destroy the connection on which the answer has yet to go out.
  const chunks: AsyncIterator<Uint8Array> = request[Symbol.asyncIterator]()
  return collect(() => chunks.next(), clock)
}

/** Express 4 body parsers leave `{}` on requests that they do not read: the raw body is still there. */
function isUntouched(request: IncomingMessage, parsed: unknown): boolean {
  return !request.readableDidRead && typeof parsed === 'object' && parsed !== null && Reflect.ownKeys(parsed).length === 0
}

type Step = { readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }

/**
 * Reads until the end, the size limit, the time limit or an interruption, whichever comes first. What was not read stays unread.
 *
 * @param watch starts watching for an interruption and returns what stops it
 */
async function collect(
  next: () => Promise<Step>,
  clock: Clock,
  watch: (interrupt: (reply: EventReply) => void) => () => void = () => () => {},
): Promise<Uint8Array | EventReply> {
  let interrupt = (_reply: EventReply) => {}
  const interruption = new Promise<EventReply>((resolve) => {
    interrupt = resolve
  })
  const stopTimer = clock.schedule(() => interrupt(tooSlow), READ_TIMEOUT_MS)
  const stopWatching = watch(interrupt)
  try {
    const chunks: Uint8Array[] = []
    let size = 0
    for (;;) {
      const step = await Promise.race([next(), interruption])
      if ('status' in step) return step
      if (step.done || step.value === undefined) return Buffer.concat(chunks)
      size += step.value.byteLength
      if (size > MAX_EVENT_BYTES) return tooLarge
      chunks.push(step.value)
    }
  } catch {
    // The connection broke: nobody is left to read the answer, but the handler has to come to an end.
    return interrupted
  } finally {
    stopTimer()
    stopWatching()
  }
}

function isTooLong(contentLength: string | null | undefined): boolean {
  return Number(contentLength ?? 0) > MAX_EVENT_BYTES
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): EventReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: text, handled: true }
}

/** After these the rest of the request is not read, so the connection cannot be used again. */
const tooLarge = plain(413, `events are at most ${MAX_EVENT_BYTES} bytes`, { connection: 'close' })
const tooSlow = plain(408, 'the body did not arrive in time', { connection: 'close' })
const interrupted = plain(400, 'the request was interrupted', { connection: 'close' })
const failed = plain(500, 'the event could not be processed; deliver it again')

function write(response: ServerResponse, { status, headers, body }: EventReply): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, headers).end(body)
}
