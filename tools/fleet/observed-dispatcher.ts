import { Agent, type Dispatcher } from 'undici'
import { digest, type Entry, machineNow } from './entry.ts'
import type { Points } from './points.ts'

const TOKEN_PATHS = ['/open-apis/auth/v3/app_access_token', '/open-apis/authen/v2/oauth/token']

/** A dispatcher that notes every request for the token of an app or a user, and holds it before it is sent and before its reply is handed over. */
export function observedDispatcher(node: string, points: Points, tell: (entry: Entry) => void): Dispatcher {
  return new Agent({ keepAliveTimeout: 1_000 }).compose((dispatch) => (options, handler) => {
    if (!TOKEN_PATHS.some((path) => options.path.includes(path))) return dispatch(options, handler)
    const secret = refreshToken(options.body)
    if (secret !== undefined) tell({ at: machineNow(), node, kind: 'spending', digest: digest(secret) })
    const observer = new FetchObserver(node, points, tell, handler)
    if (!points.isHeld('requesting')) return dispatch(options, observer)
    points.reach('requesting').then(
      () => dispatch(options, observer),
      () => {},
    )
    return true
  })
}

function refreshToken(body: unknown): string | undefined {
  if (typeof body !== 'string') return undefined
  const { refresh_token: value } = JSON.parse(body) as { readonly refresh_token?: string }
  return value
}

class FetchObserver implements Dispatcher.DispatchHandler {
  readonly #node: string
  readonly #points: Points
  readonly #tell: (entry: Entry) => void
  readonly #handler: Dispatcher.DispatchHandler
  #sentAt = 0
  #status: number | undefined

  constructor(node: string, points: Points, tell: (entry: Entry) => void, handler: Dispatcher.DispatchHandler) {
    this.#node = node
    this.#points = points
    this.#tell = tell
    this.#handler = handler
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: object): void {
    this.#sentAt = machineNow()
    this.#handler.onRequestStart?.(controller, context)
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#status = args[1]
    this.#handler.onResponseStart?.(...args)
  }

  onResponseData(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseData']>>): void {
    this.#handler.onResponseData?.(...args)
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#note({})
    const handOver = () => this.#handler.onResponseEnd?.(...args)
    if (!this.#points.isHeld('replied')) handOver()
    else this.#points.reach('replied').then(handOver, () => {})
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#note({ error: error.message })
    this.#handler.onResponseError?.(controller, error)
  }

  #note(outcome: { readonly error?: string }): void {
    const status = this.#status === undefined ? {} : { status: this.#status }
    this.#tell({ at: machineNow(), node: this.#node, kind: 'fetch', sentAt: this.#sentAt || machineNow(), ...status, ...outcome })
  }
}
