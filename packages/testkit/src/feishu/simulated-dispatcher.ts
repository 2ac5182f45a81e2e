import type { FeishuTokensOptions } from '@tokenwell/core/feishu'

export type Dispatcher = NonNullable<NonNullable<FeishuTokensOptions['http']>['dispatcher']>

export interface PlatformRequest {
  readonly method: string
  readonly path: string
  /** Of a JSON object; empty for any other body. */
  readonly fields: Readonly<Record<string, string>>
  /** The header of that name. */
  readonly authorization: string | undefined
}

export interface PlatformReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The part of undici's dispatch options that is of use here. */
interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers?: unknown
  readonly body?: unknown
}

/** The part of undici's dispatch handlers that is of use here. */
interface Handler {
  onRequestStart?(controller: Controller, context: object): void
  onResponseStart?(controller: Controller, status: number, headers: Readonly<Record<string, string>>, statusText: string): void
  onResponseData?(controller: Controller, chunk: Uint8Array): void
  onResponseEnd?(controller: Controller, trailers: object): void
  onResponseError?(controller: Controller, error: Error): void
}

interface Controller {
  readonly aborted: boolean
  readonly paused: boolean
  readonly reason: Error | null
  readonly rawHeaders: null
  readonly rawTrailers: null
  abort(reason: Error): void
  pause(): void
  resume(): void
}

type Dispatch = (request: Outgoing, handler: Handler) => boolean

/**
 * A dispatcher of undici whose requests go over no socket.
 *
 * @param send carries a request out; its reply may come late, or never, and the signal says that nobody waits for it any more
 * @param received is called with the replies that somebody still waited for
 */
export function simulatedDispatcher(
  send: (request: PlatformRequest, signal: AbortSignal) => Promise<PlatformReply>,
  received: (request: PlatformRequest, reply: PlatformReply) => void = () => {},
): Dispatcher {
  const dispatch: Dispatch = ({ method, path, headers, body }, handler) => {
    const given = new AbortController()
    let isOver = false
    let reason: Error | null = null
    const controller: Controller = {
      get aborted() {
        return reason !== null
      },
      paused: false,
      get reason() {
        return reason
      },
      rawHeaders: null,
      rawTrailers: null,
      abort(why) {
        if (isOver) return
        isOver = true
        reason = why
        given.abort(why)
        handler.onResponseError?.(controller, why)
      },
      pause() {},
      resume() {},
    }
    handler.onRequestStart?.(controller, {})
    if (isOver) return true

    const fail = (error: Error) => controller.abort(error)
    const exchange = (text: string): void => {
      const request: PlatformRequest = { method, path, fields: fieldsOf(text), authorization: authorizationOf(headers) }
      send(request, given.signal).then((reply) => {
        if (isOver) return
        isOver = true
        received(request, reply)
        handler.onResponseStart?.(controller, reply.status, reply.headers, '')
        handler.onResponseData?.(controller, Buffer.from(reply.body))
        handler.onResponseEnd?.(controller, {})
      }, fail)
    }
    const text = textOf(body)
    // What is there whole leaves at once, as core's own requests do.
    if (typeof text === 'string') exchange(text)
    else text.then(exchange, fail)
    return true
  }
  return dispatcherOf(dispatch)
}

function dispatcherOf(dispatch: Dispatch): Dispatcher {
  const dispatcher = {
    dispatch,
    compose(...interceptors: readonly ((dispatch: Dispatch) => Dispatch)[]) {
      return dispatcherOf(interceptors.flat().reduce((inner, interceptor) => interceptor(inner), dispatch))
    },
    async close() {},
    async destroy() {},
  }
  // A class with dozens of members, of which requests and those who compose it need these.
  return dispatcher as unknown as Dispatcher
}

/** Text, bytes, or pieces of them: as `fetch` and the interceptors hand a body over. */
function textOf(body: unknown): string | Promise<string> {
  if (typeof body === 'string') return body
  if (body === undefined || body === null) return ''
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  return textOfPieces(body as AsyncIterable<string | Uint8Array>)
}

async function textOfPieces(body: AsyncIterable<string | Uint8Array>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(Buffer.from(piece as Uint8Array)) // A string is taken as well.
  return Buffer.concat(pieces).toString()
}

function fieldsOf(text: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, string>) : {}
  } catch {
    return {}
  }
}

/** In any of the forms in which undici takes headers. */
function authorizationOf(headers: unknown): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  if (Array.isArray(headers)) {
    const at = headers.findIndex((name, index) => index % 2 === 0 && isAuthorization(name))
    return at < 0 ? undefined : String(headers[at + 1])
  }
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, unknown]>)] : Object.entries(headers)
  const value = pairs.find(([name]) => isAuthorization(name))?.[1]
  return value === undefined ? undefined : String(value)
}

function isAuthorization(name: unknown): boolean {
  return String(name).toLowerCase() === 'authorization'
}
