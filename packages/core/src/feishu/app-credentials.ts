import type { Inside } from '../inside.ts'
import { describe } from '../options.ts'
import { projectHandle } from '../projected-handle.ts'
import type { TokenHandle } from '../token-handle.ts'
import { appAccessToken } from './app-access-token.ts'
import { AppTickets, type PushedTicket } from './app-ticket.ts'
import { customAppToken, customAppTokens } from './custom-app-tokens.ts'
import type { Http } from './http.ts'
import { jsapiTicket } from './jsapi-ticket.ts'
import { RateLimit } from './rate-limit.ts'
import { parseAppTicketResendReply } from './replies.ts'
import { buildAppTicketResendRequest } from './requests.ts'
import { TenantAccessToken } from './tenant-access-token.ts'
import { Tenants } from './tenants.ts'
import { Users } from './users.ts'
import type { WarmOptions, WarmReport } from './warm.ts'

/** What the credentials of one app have in common. */
export interface App {
  readonly inside: Inside
  readonly http: Http
  readonly appId: string
  readonly appSecret: string
  /** What the keys of its records begin with. */
  readonly scope: string
  /** Digest of its configuration. */
  readonly config: string
}

/** The credentials of one app, each minted from another. Which there are depends on the kind of app. */
export interface AppCredentials {
  readonly app: TokenHandle
  /** @throws TypeError for a key that no tenant of this kind of app has */
  tenant(tenantKey: string | undefined): TokenHandle
  /** @throws TypeError as `tenant` */
  jsapiTicket(tenantKey: string | undefined): TokenHandle
  warm(tenantKeys: Iterable<string>, options: WarmOptions): Promise<WarmReport>
  readonly users: Users
  /** Takes in a ticket; absent where there are none. */
  acceptTicket?(ticket: PushedTicket): Promise<'accepted' | 'ignored' | 'refused'>
}

/** Ticket → app token → a token for each tenant → a jsapi ticket for each tenant. */
export function storeApp(given: App): AppCredentials {
  const { inside, http, appId, appSecret, scope, config } = given
  const { clock } = inside
  const tickets = new AppTickets({
    kernel: inside,
    appId,
    key: `${scope}/app-ticket`,
    config,
    resend: async (signal) => {
      const reply = await http.post(buildAppTicketResendRequest({ appId, appSecret }), { signal })
      parseAppTicketResendReply(reply, [appSecret])
    },
  })
  const app = inside.token(appAccessToken({ key: `${scope}/app-access-token`, config, appId, appSecret, tickets, http }))
  const tenantLimit = new RateLimit(inside, `${scope}/rate-limit/tenant-access-token`, 'tenant_access_token')
  const tenantSource = { app: given, token: app, limit: tenantLimit }
  const tenants = new Tenants(inside, (tenantKey) => new TenantAccessToken(tenantKey, tenantSource))
  const jsapiLimit = jsapiRateLimit(given)
  const jsapiTickets = new Tenants(inside, (tenantKey) => {
    const tenant = tenants.handle(tenantKey)
    return jsapiTicket({ key: `${scope}/jsapi-ticket/${encodeURIComponent(tenantKey)}`, config, tenant, http, clock, limit: jsapiLimit })
  })
  return {
    app,
    tenant: (tenantKey) => tenants.handle(tenantKey),
    jsapiTicket: (tenantKey) => jsapiTickets.handle(tenantKey),
    warm: (tenantKeys, options) => tenants.warm(tenantKeys, options),
    users: new Users(given),
    acceptTicket: (ticket) => tickets.accept(ticket),
  }
}

/** App secret → both tokens at once → a jsapi ticket. */
export function customApp(given: App): AppCredentials {
  const { inside, http, appId, appSecret, scope, config } = given
  const both = inside.token(customAppTokens({ key: `${scope}/custom-app-tokens`, config, appId, appSecret, http }))
  const app = projectHandle(both, both.key, customAppToken('app'))
  const tenant = projectHandle(both, both.key, customAppToken('tenant'))
  const limit = jsapiRateLimit(given)
  const ticket = inside.token(jsapiTicket({ key: `${scope}/jsapi-ticket`, config, tenant, http, clock: inside.clock, limit }))
  return {
    app,
    tenant: (tenantKey) => onlyTenant(tenantKey, tenant),
    jsapiTicket: (tenantKey) => onlyTenant(tenantKey, ticket),
    async warm() {
      throw new TypeError("warm: a custom app has one tenant only; it is for appType 'store'")
    },
    users: new Users(given),
  }
}

function jsapiRateLimit({ inside, scope }: App): RateLimit {
  return new RateLimit(inside, `${scope}/rate-limit/jsapi-ticket`, 'jsapi tickets')
}

function onlyTenant(tenantKey: string | undefined, handle: TokenHandle): TokenHandle {
  if (tenantKey === undefined) return handle
  throw new TypeError(`tenantKey: a custom app has one tenant, which is not named; expected none, got ${describe(tenantKey)}`)
}
