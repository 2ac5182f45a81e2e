import { isTokenError } from '../../errors.ts'
import { checkObject } from '../../options.ts'
import type { FeishuTokens } from '../feishu-tokens.ts'
import { checkDispatcher, type Dispatcher, fetchDispatcher, globalDispatcher } from '../http.ts'
import { type FeishuAuthOptions, feishuAuth } from './auth.ts'

export interface FeishuFetchOptions extends FeishuAuthOptions {
  /** A dispatcher of undici 7 or 8, for a proxy or a pool of your own. Default: the global one of undici. It is never closed. */
  readonly dispatcher?: Dispatcher
}

/**
 * Node's own `fetch` with what {@link feishuAuth} does. A path, which begins with a slash, is one of the app's own domain. Redirects are followed
 * as ever, and a token goes along as far as the domain reaches. Without a token it rejects with the TokenError itself.
 *
 * @example
 * const api = feishuFetch(tokens, { tenantKey })
 * const reply = await api('/open-apis/contact/v3/scopes')
 * @throws TypeError for an option that is wrong, or contradicts another
 */
export function feishuFetch(tokens: FeishuTokens, options: FeishuFetchOptions = {}): typeof globalThis.fetch {
  checkObject(options, 'feishuFetch', ['tenantKey', 'token', 'rateLimitWaitMs', 'dispatcher'])
  const { dispatcher: given, ...auth } = options
  checkDispatcher(given, 'dispatcher')
  const dispatch: Dispatcher.Dispatch = (request, handler) => (given ?? globalDispatcher()).dispatch(request, handler)
  const dispatcher = fetchDispatcher(feishuAuth(tokens, auth)(dispatch))

  return async (input, init) => {
    if (init !== undefined && 'dispatcher' in init) {
      throw new TypeError('dispatcher: give it to feishuFetch; one given to a single request would send it without a token')
    }
    const url = typeof input === 'string' && input.startsWith('/') ? tokens.baseUrl + input : input
    try {
      return await globalThis.fetch(url, { ...init, dispatcher })
    } catch (error) {
      // fetch wraps whatever kept a request from being sent.
      throw error instanceof Error && isTokenError(error.cause) ? error.cause : error
    }
  }
}
