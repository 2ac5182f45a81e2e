import type { FeishuTokens } from '@tokenwell/core/feishu'
import { memoryCache } from './memory-cache.ts'
import type { LarkCache, LarkCacheKey, LarkCacheScope } from './sdk-cache.ts'
import { type SdkEntry, sdkEntry } from './sdk-entry.ts'
import { createWarn } from './warn.ts'

export interface LarkCacheOptions {
  /**
   * Where everything goes that is not a token or ticket of the app: the logins of the SDK's `userAccessToken`, the messages its channel
   * has seen, your own values. Default: this process's memory, until each ends.
   */
  readonly others?: LarkCache
}

/**
 * The SDK only looks whether there is a ticket, and has one sent again if not. That is for Tokenwell to ask, once for the fleet, and the
 * ticket itself is for nobody else to mint with.
 */
const KEPT_BY_TOKENWELL = 'kept by Tokenwell'

/**
 * A cache for `Client` and `EventDispatcher` of `@larksuiteoapi/node-sdk`. The SDK asks its cache first for every token: this one has
 * Tokenwell's to give, or rejects with the `TokenError` that says why not, so that the SDK never mints by itself.
 *
 * @param tokens of the same app and the same kind of app as the SDK's `Client`
 * @throws TypeError for arguments that are something else
 *
 * @example
 * const client = new lark.Client({ appId, appSecret, appType: lark.AppType.ISV, cache: larkCache(tokens) })
 */
export function larkCache(tokens: FeishuTokens, options: LarkCacheOptions = {}): LarkCache {
  checkTokens(tokens)
  const others = checkOthers(options) ?? memoryCache()
  const { appId, appType } = tokens
  const warn = createWarn()

  /** @throws TypeError for a key under the id of the app that no version known here has */
  function entryOf(key: LarkCacheKey, scope: LarkCacheScope | undefined): SdkEntry | undefined {
    const entry = sdkEntry(key)
    if (entry === undefined && scope?.namespace === appId) {
      throw new TypeError(
        `larkCache: expected a key that @larksuiteoapi/node-sdk has under the id of an app, got another under ${appId}. If this is a new ` +
          'version of the SDK, take one that is known to work or a newer @tokenwell/lark-sdk. If the value is your own, keep it under another namespace',
      )
    }
    return entry
  }

  /** @throws TypeError for a client that is set up for another app */
  async function tokenOf(entry: Exclude<SdkEntry, { kind: 'app-ticket' }>, scope: LarkCacheScope | undefined): Promise<string> {
    if (scope?.namespace === undefined) {
      throw new TypeError(
        'larkCache: expected the id of the app as namespace, got none. @larksuiteoapi/node-sdk gives it from version 1.12 on: update it',
      )
    }
    if (scope.namespace !== appId) {
      throw new TypeError(
        `larkCache: expected a Client of ${appId}, whose tokens this cache gives out, got one of ${appName(scope.namespace)}. Make a cache for each app`,
      )
    }
    const ofStoreApp = entry.kind === 'tenant'
    if (ofStoreApp !== (appType === 'store')) {
      const [client, alternative] = ofStoreApp ? ['AppType.ISV', "'store'"] : ['AppType.SelfBuild, the default', "'custom'"]
      throw new TypeError(
        `larkCache: the tokens of ${appId} have appType '${appType}', its Client has ${client}. Make both the same: ` +
          `${appType === 'store' ? 'AppType.ISV' : 'AppType.SelfBuild'} for the Client, or ${alternative} for createFeishuTokens`,
      )
    }
    return tokens.tenantAccessToken(ofStoreApp ? entry.tenantKey : undefined)
  }

  /**
   * Never rejects: a dispatcher passes it on to a server that does not catch it, and one event must not end the process. Nor does it say
   * when the event was made, so the moment of its arrival orders the ticket.
   */
  async function takeTicket(ticket: unknown, scope: LarkCacheScope | undefined): Promise<boolean> {
    if (scope?.namespace !== appId) {
      warn(
        'TOKENWELL_LARK_OTHER_APP',
        `An app_ticket of another app than ${appId} was not taken. Make a cache and an EventDispatcher for each app, with its own encryptKey.`,
      )
      return false
    }
    // It has no use for one.
    if (appType === 'custom') return false
    try {
      // Whatever an event has in its place: acceptAppTicket checks it.
      const outcome = await tokens.acceptAppTicket({ ticket: ticket as string, eventTime: new Date() })
      if (outcome === 'refused') {
        warn(
          'TOKENWELL_LARK_CLOCK',
          `An app_ticket of ${appId} was refused: the clock of this machine is more than 10 minutes ahead of the store's. Set it right.`,
        )
      }
      return outcome === 'accepted'
    } catch (error) {
      warn('TOKENWELL_LARK_TICKET', `An app_ticket of ${appId} could not be stored. ${error instanceof Error ? error.message : ''}`)
      return false
    }
  }

  return {
    async get(key, scope) {
      const entry = entryOf(key, scope)
      if (entry === undefined) return others.get(key, scope)
      // Nor may this ever reject: a Client asks when it is made, and leaves the promise alone.
      return entry.kind === 'app-ticket' ? KEPT_BY_TOKENWELL : tokenOf(entry, scope)
    },
    async set(key, value, expire, scope) {
      const entry = entryOf(key, scope)
      if (entry === undefined) return others.set(key, value, expire, scope)
      // A token that something else has minted is not the fleet's.
      return entry.kind === 'app-ticket' ? takeTicket(value, scope) : false
    },
  }
}

function checkTokens(tokens: unknown): void {
  const { appId, appType, tenantAccessToken, acceptAppTicket } = (tokens ?? {}) as Partial<FeishuTokens>
  const isTokens = typeof appId === 'string' && (appType === 'store' || appType === 'custom')
  if (isTokens && typeof tenantAccessToken === 'function' && typeof acceptAppTicket === 'function') return
  throw new TypeError(`tokens: expected what createFeishuTokens of @tokenwell/core/feishu returns, got ${kindOf(tokens)}`)
}

function checkOthers(options: LarkCacheOptions): LarkCache | undefined {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`larkCache: expected an object of options, got ${kindOf(options)}`)
  for (const name of Object.keys(options)) {
    if (name !== 'others') throw new TypeError(`larkCache: there is no option "${name}"; it takes others`)
  }
  const { others } = options
  if (others === undefined || (typeof others?.get === 'function' && typeof others.set === 'function')) return others
  throw new TypeError(`others: expected a cache of the SDK with get() and set(), got ${kindOf(others)}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return value === undefined ? 'undefined' : `a value of type ${typeof value}`
}

/** Only what looks like the id of an app is shown: something else may be a secret in the wrong place. */
function appName(namespace: string): string {
  return /^cli_\w{1,60}$/.test(namespace) ? namespace : `an id of ${namespace.length} characters`
}
