import type { FeishuTokensOptions } from '@tokenwell/core/feishu'

type Dispatcher = NonNullable<NonNullable<FeishuTokensOptions['http']>['dispatcher']>

export interface PlatformRequest {
  readonly path: string
  readonly fields: Readonly<Record<string, string>>
}

export interface PlatformReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
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
  readonly rawHeaders: readonly []
  readonly rawTrailers: readonly []
  abort(reason: Error): void
  pause(): void
  resume(): void
}

/**
 * A dispatcher of undici whose requests go over no socket.
 *
 * @param send carries a request out; its reply may come late, or never, and the signal says that nobody waits for it any more
 * @param received is called with the replies that somebody still waited for
 */
export function simulatedDispatcher(
  send: (request: PlatformRequest, signal: AbortSignal) => Promise<PlatformReply>,
  received: (request: PlatformRequest, reply: PlatformReply) => void,
): Dispatcher {
  const dispatcher = {
    dispatch({ path, body }: { readonly path: string; readonly body?: unknown }, handler: Handler): boolean {
      const request: PlatformRequest = { path, fields: typeof body === 'string' ? JSON.parse(body) : {} }
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
        rawHeaders: [],
        rawTrailers: [],
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
      send(request, given.signal).then(
        (reply) => {
          if (isOver) return
          isOver = true
          received(request, reply)
          handler.onResponseStart?.(controller, reply.status, reply.headers, '')
          handler.onResponseData?.(controller, Buffer.from(reply.body))
          handler.onResponseEnd?.(controller, {})
        },
        (error: Error) => controller.abort(error),
      )
      return true
    },
  }
  // A class with dozens of members, of which requests need this one.
  return dispatcher as unknown as Dispatcher
}
