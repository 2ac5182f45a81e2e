import { systemClock } from '../../clock.ts'
import { insideOf } from '../../inside.ts'
import { checkInteger, checkMethods, checkObject, checkText } from '../../options.ts'
import { systemRandom } from '../../random.ts'
import type { TokenHandle } from '../../token-handle.ts'
import type { FeishuTokens } from '../feishu-tokens.ts'
import type { Dispatcher } from '../http.ts'
import { Exchange } from './exchange.ts'
import { hasHeader, headerList } from './request-headers.ts'

/** A request that is about to be sent, for a function that says whose token goes with it. */
export interface OutgoingRequest {
  readonly method: string
  readonly url: URL
}

export interface FeishuAuthOptions {
  /**
   * Whose `tenant_access_token` goes with a request: a tenant key, or a function that is asked for each request; where it returns `undefined`
   * the request is sent as it is. Without this and `token`: that of the one tenant of a custom app.
   */
  readonly tenantKey?: string | ((request: OutgoingRequest) => string | undefined)
  /** Another credential in its place: `tokens.app`, `tokens.user(id)`, or a function that is asked for each request. */
  readonly token?: TokenHandle | ((request: OutgoingRequest) => TokenHandle | undefined)
  /**
   * The longest a request waits for rate limits to pass, in all; milliseconds, 0 to 600,000. Default 15,000. A reply that asks for more, or 0
   * here, is handed on at once.
   */
  readonly rateLimitWaitMs?: number
}

/** An interceptor for the `compose()` of any dispatcher of undici 7 or 8, whose types differ. */
export type FeishuInterceptor = <Dispatch extends (request: never, handler: never) => boolean>(dispatch: Dispatch) => Dispatch

const LONGEST_BASE_URL = 2_000
const DEFAULT_RATE_LIMIT_WAIT_MS = 15_000
const LONGEST_RATE_LIMIT_WAIT_MS = 600_000

/**
 * An interceptor for a dispatcher of undici 7 or 8. A request to the app's own domain, and to no other, is sent with a token in the header
 * `Authorization`. If the platform refuses the token, it is replaced for the whole fleet and the request sent once more. If it throttles and says
 * for how long, the request waits and is sent again. A request that has the header already passes as it is.
 *
 * A request whose body is a stream, or comes in pieces of more than 1 MiB in all, is sent once: what came back is handed on, and a refused token
 * rejected all the same. Without a token the request fails with the TokenError that says why.
 *
 * @example
 * const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey }))
 * const { body } = await request(`${tokens.baseUrl}/open-apis/contact/v3/scopes`, { dispatcher })
 * @throws TypeError for an option that is wrong, or contradicts another
 */
export function feishuAuth(tokens: FeishuTokens, options: FeishuAuthOptions = {}): FeishuInterceptor {
  checkObject(options, 'feishuAuth', ['tenantKey', 'token', 'rateLimitWaitMs'])
  const { rateLimitWaitMs = DEFAULT_RATE_LIMIT_WAIT_MS } = options
  checkInteger(rateLimitWaitMs, 'rateLimitWaitMs', 0, LONGEST_RATE_LIMIT_WAIT_MS)
  checkMethods(tokens, 'tokens', ['tenant'])
  checkText(tokens.baseUrl, 'tokens.baseUrl', LONGEST_BASE_URL)
  // What stands in for tokens in somebody's test has no inside.
  const { clock, random } = insideOf('tokens', tokens) ?? { clock: systemClock, random: systemRandom }
  const handleFor = chooser(tokens, options)
  const below = `${tokens.baseUrl}/`

  const intercept =
    (dispatch: Dispatcher.Dispatch, ownOrigin?: string | null): Dispatcher.Dispatch =>
    (request, handler) => {
      assertNewHandler(handler)
      const url = addressOf(request, ownOrigin)
      if (url?.href.startsWith(below) !== true) return dispatch(request, handler)
      const headers = headerList(request.headers)
      const handle = hasHeader(headers, 'authorization') ? undefined : handleFor({ method: request.method, url })
      if (handle === undefined) return dispatch({ ...request, headers }, handler)
      new Exchange({ dispatch, request, headers, handler, handle, below, rateLimitWaitMs, clock, random }).start()
      return true
    }
  return intercept as FeishuInterceptor
}

type Chooser = (request: OutgoingRequest) => TokenHandle | undefined

/** What says whose token goes with a request. What is the same for all is checked here and now. */
function chooser(tokens: FeishuTokens, { tenantKey, token }: FeishuAuthOptions): Chooser {
  if (tenantKey !== undefined && token !== undefined) {
    throw new TypeError('tenantKey and token contradict each other: a request goes with one token. Give one of the two')
  }
  if (typeof token === 'function') return (request) => checkHandle(tokens, token(request))
  if (token !== undefined) {
    const handle = checkHandle(tokens, token)
    return () => handle
  }
  if (typeof tenantKey === 'function') {
    return (request) => {
      const key = tenantKey(request)
      return key === undefined ? undefined : tokens.tenant(key)
    }
  }
  const handle = tokens.tenant(tenantKey)
  return () => handle
}

/** Another app's token has no business on this one's domain. */
function checkHandle(tokens: FeishuTokens, handle: TokenHandle | undefined): TokenHandle | undefined {
  if (handle === undefined) return undefined
  checkMethods(handle, 'token', ['use'])
  const scope = tokens.app.key.slice(0, tokens.app.key.lastIndexOf('/') + 1)
  if (handle.key.startsWith(scope)) return handle
  throw new TypeError(`token: expected a credential of the app of these tokens, such as tokens.user(id), got that of "${handle.key}"`)
}

/**
 * Where a request goes; undefined where it says so in a way of its own, as to a proxy. Put together as undici does: resolving it against the
 * origin would let a path that begins with two slashes name another host.
 *
 * @param ownOrigin that of a dispatcher which has just one, whatever a request says; undici 8 tells
 */
function addressOf({ origin, path, method }: Dispatcher.DispatchOptions, ownOrigin: string | null | undefined): URL | undefined {
  if (method === 'CONNECT' || !path.startsWith('/')) return undefined
  const from = ownOrigin ?? origin
  if (from === undefined) {
    throw new TypeError(
      'feishuAuth: the request names no origin, so whether a token may go with it is not known. Give it one, or use an Agent',
    )
  }
  const text = `${from instanceof URL ? from.origin : from.replace(/\/$/, '')}${path}`
  return URL.canParse(text) ? new URL(text) : undefined
}

/** undici 6 calls an interceptor with handlers that know other events. */
function assertNewHandler(handler: Dispatcher.DispatchHandler): void {
  if (handler.onRequestStart === undefined && 'onHeaders' in handler) {
    throw new TypeError('feishuAuth: the dispatcher is one of undici 6 or older; it takes one of undici 7 or 8')
  }
}
