import { createHash } from 'node:crypto'
import { TokenError } from '../errors.ts'
import { checkListener, type Listener } from '../events.ts'
import { attachInside, type Inside, insideOf } from '../inside.ts'
import { checkObject, checkText, describe } from '../options.ts'
import type { KeyStatus } from '../status.ts'
import type { TokenStore } from '../store.ts'
import type { TokenHandle } from '../token-handle.ts'
import { type CloseOptions, checkClose, createTokenManager, type TokenManager } from '../token-manager.ts'
import { customApp, storeApp } from './app-credentials.ts'
import { LONGEST_ID, LONGEST_TICKET, microsecondsOf, readEvent } from './event.ts'
import type { EventReply } from './event-handlers.ts'
import type { AnyHeaders } from './headers.ts'
import { checkDispatcher, createHttp, type Dispatcher, resolveDomain } from './http.ts'
import { rawBytes } from './raw-body.ts'
import { TokenTexts } from './token-texts.ts'
import type { ExpiringOptions, UserAuthorization, UserTokenHandle } from './users.ts'
import type { WarmOptions, WarmReport } from './warm.ts'

export interface FeishuTokensOptions {
  /** The app's id, `cli_…`. */
  readonly appId: string
  /** The app's secret. It is sent to the upstream and nowhere else; no store ever sees it. */
  readonly appSecret: string
  /** Where the fleet keeps its records. Either this or `manager`. */
  readonly store?: TokenStore
  /** A manager that several apps share, made by `createTokenManager`. Either this or `store`. */
  readonly manager?: TokenManager
  /** `store` (default): an app for many tenants, which needs tickets. `custom`: a self-built app, which has one tenant and needs none. */
  readonly appType?: 'store' | 'custom'
  /** `feishu` (default), `lark`, or a base URL: https, or http on this machine. */
  readonly domain?: 'feishu' | 'lark' | (string & {})
  /** Needed to receive events. Each may be several while one is being changed in the developer console. */
  readonly events?: {
    readonly verificationToken: string | readonly string[]
    readonly encryptKey?: string | readonly string[]
  }
  readonly http?: {
    /** A dispatcher of undici, for a proxy or a pool of your own. It is never closed. */
    readonly dispatcher?: Dispatcher
  }
}

export interface AppTicketInput {
  /** The ticket itself. */
  readonly ticket: string
  /** When its event was made: the event's `ts`, verbatim (seconds with a fraction, as a string), or a Date. Orders tickets. */
  readonly eventTime: string | Date
  /** The event's `uuid`. Default: derived from the ticket. */
  readonly id?: string
}

export interface ReadyOptions {
  /** Ends this caller's wait, and nobody else's. */
  readonly signal?: AbortSignal
  /** The longest this caller waits, 0 to 600,000 milliseconds. Default 15,000. */
  readonly timeoutMs?: number
}

/** The tokens of one Feishu or Lark app, shared with the fleet. */
export interface FeishuTokens {
  /** The app's id. */
  readonly appId: string
  readonly appType: 'store' | 'custom'
  /** Where the app's requests go: `https://open.feishu.cn`, or what `domain` says; without a slash at its end. */
  readonly baseUrl: string
  /** The app's `app_access_token`. */
  readonly app: TokenHandle
  /**
   * The `tenant_access_token` of one tenant, minted from the app's token that the fleet shares.
   * @param tenantKey as the platform gives it in events and in the install flow: 1 to 64 characters of well-formed Unicode. A custom app
   *   has one tenant, which is not named.
   */
  tenant(tenantKey?: string): TokenHandle
  /** The tenant's `tenant_access_token` as text; `tenant(key).get()` for more. @throws TokenError */
  tenantAccessToken(tenantKey?: string): Promise<string>
  /** The ticket with which pages of a tenant are signed for the JS SDK; see `signJsapi`. @param tenantKey as for `tenant` */
  jsapiTicket(tenantKey?: string): TokenHandle
  /**
   * Makes the tokens of many tenants ready, so that their first callers do not wait: what the fleet has already is read from the store in
   * batches, the rest fetched. A tenant that fails is reported and does not stop the others.
   * @throws TokenError `ABORTED` or `CLOSED`
   */
  warm(tenantKeys: Iterable<string>, options?: WarmOptions): Promise<WarmReport>
  /**
   * The `user_access_token` of one user, who has authorised the app.
   * @param userId your own name for the user, such as the id of an account: 1 to 64 characters of well-formed Unicode
   */
  user(userId: string): UserTokenHandle
  /**
   * Those of the users whose authorisation ends soon, or has ended, soonest first. `user(id).get()` refreshes one that has not.
   * @throws TokenError `STORE_UNAVAILABLE`; `RECORD_UNREADABLE` where a login is sealed with a key that this process does not have; `CLOSED`
   * when the manager is closed before all are read
   */
  expiringAuthorizations(userIds: Iterable<string>, options?: ExpiringOptions): Promise<UserAuthorization[]>
  /** The `app_access_token` as text; `app.get()` for more. @throws TokenError */
  appAccessToken(): Promise<string>
  /**
   * Receives a pushed event: answers the challenge, takes the app ticket in, and hands every other event back verified and decrypted.
   * Send `status`, `headers` and `body` of the result back to the platform.
   *
   * @param request `body`: the RAW body as a string or bytes, since the signature is over its bytes; `headers`: any shape
   * @throws TypeError when the body was parsed already, or `events` is not configured
   */
  receiveEvent(request: { readonly headers: AnyHeaders; readonly body: string | Uint8Array }): Promise<EventReply>
  /**
   * Takes in a ticket that reached this process another way. `ignored`: the fleet has a newer one; `refused`: its time is more than
   * 10 minutes ahead of the store's clock.
   * @throws TokenError `STORE_UNAVAILABLE`: it is kept in this process only
   */
  acceptAppTicket(ticket: AppTicketInput): Promise<'accepted' | 'ignored' | 'refused'>
  /**
   * Resolves when a token can be had now. With `timeoutMs` below the probe's own limit it answers a readiness probe.
   * @param options `timeoutMs` and `signal` as for `app.get()`
   * @throws TokenError that says what is missing
   */
  ready(options?: ReadyOptions): Promise<void>
  /** What this process knows of the app's credentials; no secret. */
  status(): KeyStatus[]
  /** Calls the functions of a listener with what is about the app's credentials; see {@link TokenManager.listen}. @throws TypeError */
  listen(listener: Listener): () => void
  /**
   * Settles every caller and lets go of everything; see {@link TokenManager.close}. A manager that was given stays open, since others may use
   * the same tokens: then this object's own methods take no more calls, and that is all. Handles go on, callers go on waiting, and tokens are
   * kept, until the manager's owner closes it, and with it this app's connections.
   */
  close(options?: CloseOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws TypeError for an option that is missing, out of range, or contradicts another */
export function createFeishuTokens(options: FeishuTokensOptions): FeishuTokens {
  checkObject(options, 'createFeishuTokens', ['appId', 'appSecret', 'store', 'manager', 'appType', 'domain', 'events', 'http'])
  const { appId, appSecret, store, appType = 'store', domain = 'feishu', events, http: httpOptions = {} } = options
  checkText(appId, 'appId', 100)
  checkText(appSecret, 'appSecret', 200)
  if (appType !== 'store' && appType !== 'custom') throw new TypeError(`appType: expected 'store' or 'custom', got ${describe(appType)}`)
  if (store !== undefined && options.manager !== undefined) {
    throw new TypeError('store and manager contradict each other: a manager brings its own store. Give one of the two')
  }
  const baseUrl = resolveDomain(domain)
  checkObject(httpOptions, 'http', ['dispatcher'])
  const dispatcher = checkDispatcher(httpOptions.dispatcher, 'http.dispatcher')
  const rules = events === undefined ? undefined : checkEvents(events, appId)
  if (store === undefined && options.manager === undefined) {
    throw new TypeError('store: expected a TokenStore such as memoryStore() from @tokenwell/store-memory, got undefined')
  }

  const manager = options.manager !== undefined ? options.manager : createTokenManager({ store: store as TokenStore }) // Both undefined was refused above.
  const inside = checkManager(manager)
  const http = createHttp({ baseUrl, dispatcher })
  inside.onClose(() => http.close())
  const scope = `feishu/${encodeURIComponent(baseUrl.replace(/^https:\/\//, ''))}/${encodeURIComponent(appId)}`
  const isOwn = ({ key }: { readonly key: string }) => key.startsWith(`${scope}/`)
  const config = createHash('sha256')
    .update(JSON.stringify([baseUrl, appId, appSecret]))
    .digest('hex')
    .slice(0, 16)
  const credentials = appType === 'custom' ? customApp : storeApp
  const { app, tenant, jsapiTicket, warm, users, acceptTicket } = credentials({ inside, http, appId, appSecret, scope, config })

  let closed = false
  function assertOpen(): void {
    if (closed || inside.closed)
      throw new TokenError('CLOSED', `The tokens of ${appId} were closed. Create new ones.`, { retryable: false })
  }

  const refuse = (status: number, reason: string): EventReply => {
    inside.tell(app.key, { type: 'event-refused', status, reason })
    return json(status, { error: reason })
  }

  const texts = new TokenTexts()
  const tokens: FeishuTokens = {
    appId,
    appType,
    baseUrl,
    app,
    appAccessToken() {
      try {
        assertOpen()
        return texts.of(app)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    tenant,
    jsapiTicket,
    tenantAccessToken(tenantKey) {
      try {
        assertOpen()
        return texts.of(tenant(tenantKey))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async warm(tenantKeys, given = {}) {
      assertOpen()
      return warm(tenantKeys, given)
    },
    user: (userId) => users.handle(userId),
    async expiringAuthorizations(userIds, given = {}) {
      assertOpen()
      return users.expiring(userIds, given)
    },
    async receiveEvent({ headers, body }) {
      if (rules === undefined) {
        throw new TypeError('events: set verificationToken (and encryptKey) to receive events; without them anybody could forge a ticket')
      }
      const bytes = rawBytes(body)
      assertOpen()
      const reading = readEvent({ headers, body: bytes }, rules)
      switch (reading.kind) {
        case 'challenge':
          return json(200, { challenge: reading.challenge })
        case 'other':
          return { ...json(200, {}), handled: false, event: reading.event }
        case 'refused':
          return refuse(reading.status, reading.reason)
        case 'ticket':
          // A custom app has no use for one.
          if (acceptTicket === undefined) return json(200, {})
          try {
            const outcome = await inside.track(acceptTicket({ value: reading.ticket, version: reading.eventTime, id: reading.id }))
            return outcome === 'refused'
              ? json(400, { error: 'the time of the event is too far ahead of the clock of the store' })
              : json(200, {})
          } catch {
            // The platform delivers again, by when the store may be back.
            return refuse(503, 'the app ticket could not be stored; deliver it again')
          }
      }
    },
    async acceptAppTicket(given) {
      const ticket = checkTicket(given)
      assertOpen()
      if (acceptTicket === undefined) throw new TypeError("acceptAppTicket: a custom app needs no ticket; it is for appType 'store'")
      return inside.track(acceptTicket(ticket))
    },
    async ready(given = {}) {
      checkObject(given, 'ready', ['timeoutMs', 'signal'])
      assertOpen()
      await app.get(given)
    },
    status: () => manager.status().filter(isOwn),
    listen(listener) {
      checkListener(listener)
      const { onEvent, onStoreCall } = listener
      return manager.listen({
        ...(onEvent && { onEvent: (event) => (isOwn(event) ? onEvent(event) : undefined) }),
        ...(onStoreCall && { onStoreCall: (call) => (isOwn(call) ? onStoreCall(call) : undefined) }),
      })
    },
    async close(given = {}) {
      checkClose(given)
      closed = true
      if (options.manager === undefined) await manager.close(given)
    },
    [Symbol.asyncDispose]: () => tokens.close(),
  }
  attachInside('tokens', tokens, inside)
  return tokens
}

function checkManager(manager: unknown): Inside {
  const inside = insideOf('manager', manager)
  if (inside !== undefined) return inside
  throw new TypeError(`manager: expected one made by createTokenManager of this version of @tokenwell/core, got ${describe(manager)}`)
}

function checkEvents(events: NonNullable<FeishuTokensOptions['events']>, appId: string) {
  checkObject(events, 'events', ['verificationToken', 'encryptKey'])
  return {
    appId,
    verificationTokens: checkSecrets(events.verificationToken, 'events.verificationToken'),
    encryptKeys: events.encryptKey === undefined ? [] : checkSecrets(events.encryptKey, 'events.encryptKey'),
  }
}

function checkSecrets(value: string | readonly string[], name: string): readonly string[] {
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list) || list.length === 0) throw new TypeError(`${name}: expected a string or several, got ${describe(value)}`)
  for (const each of list) checkText(each, name, 200)
  return [...list]
}

function checkTicket(given: AppTicketInput): { value: string; version: number; id: string } {
  checkObject(given, 'acceptAppTicket', ['ticket', 'eventTime', 'id'])
  const { ticket, eventTime, id } = given
  checkText(ticket, 'ticket', LONGEST_TICKET)
  if (id !== undefined) checkText(id, 'id', LONGEST_ID)
  const version = eventTime instanceof Date ? eventTime.getTime() * 1_000 : microsecondsOf(eventTime, 6)
  if (version === undefined || !Number.isSafeInteger(version) || version <= 0) {
    throw new TypeError(
      `eventTime: expected the event's ts as a string of seconds such as "1502199207.7171419", or a Date, got ${describe(eventTime)}`,
    )
  }
  return { value: ticket, version, id: id ?? createHash('sha256').update(ticket).digest('hex').slice(0, 32) }
}

function json(status: number, content: object): EventReply {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(content), handled: true }
}
