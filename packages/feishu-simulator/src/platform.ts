import type { Behaviour } from './behaviour.ts'
import { bearerToken, type Endpoint, type Fields, text } from './endpoints.ts'
import type { AppLedger, LedgerToken } from './ledger.ts'
import type { UserLedger } from './user-ledger.ts'

/** An app as the endpoints see it. */
export interface KnownApp {
  readonly appId: string
  readonly appSecret: string
  readonly type: 'store' | 'custom'
  /** The one tenant of a custom app. */
  readonly tenantKey: string
  readonly ledger: AppLedger
  readonly users: UserLedger
  /** Tenants that have switched the app off. */
  readonly disabledTenants: ReadonlySet<string>
}

/** Everything the endpoints decide on. */
export interface Platform {
  readonly apps: ReadonlyMap<string, KnownApp>
  readonly behaviour: Behaviour
}

/** A token of an app, of one of its tenants, or of a user, whatever became of it. */
export type OwnedToken =
  | { readonly app: KnownApp; readonly kind: 'app' | 'tenant'; readonly entry: LedgerToken }
  | { readonly app: KnownApp; readonly kind: 'user'; readonly userId: string }

/** Whose token this is. Tickets of the JS SDK are no bearer tokens, and unknown here. */
export function ownerOf(token: string, { apps }: Platform): OwnedToken | undefined {
  for (const app of apps.values()) {
    const entry = app.ledger.find(token)
    if (entry && entry.kind !== 'jsapi') return { app, kind: entry.kind, entry }
    const userId = app.users.ownerOfAccessToken(token)
    if (userId !== undefined) return { app, kind: 'user', userId }
  }
  return undefined
}

/** Who a request says it is for, or whose token it carries; for the record, not to be trusted. */
export interface Claim {
  readonly appId?: string
  readonly tenantKey?: string
  readonly userId?: string
}

/** An app that is not known is not in the claim. */
export function claimOf(endpoint: Endpoint, fields: Fields, authorization: string | undefined, platform: Platform): Claim {
  const named = text(fields.app_id) ?? text(fields.client_id)
  const token = text(fields.app_access_token) ?? bearerToken(authorization)
  const owned = token === undefined ? undefined : ownerOf(token, platform)
  const app = named === undefined ? owned?.app : platform.apps.get(named)
  if (app === undefined) return {}
  const tenantKey = text(fields.tenant_key) ?? (owned?.kind === 'tenant' ? owned.entry.tenantKey : undefined) ?? ownTenant(app, endpoint)
  const userId =
    app.users.ownerOfRefreshToken(text(fields.refresh_token)) ??
    app.users.ownerOfCode(text(fields.code)) ??
    (owned?.kind === 'user' ? owned.userId : undefined)
  return { appId: app.appId, ...(tenantKey !== undefined && { tenantKey }), ...(userId !== undefined && { userId }) }
}

function ownTenant(app: KnownApp, endpoint: Endpoint): string | undefined {
  return app.type === 'custom' && endpoint.endsWith('_internal') ? app.tenantKey : undefined
}
