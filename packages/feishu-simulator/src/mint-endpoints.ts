import { auditMint } from './audit.ts'
import { type Answer, type Call, type Minted, text } from './endpoints.ts'
import { APP_CREDENTIAL, type Credential, type Mint } from './ledger.ts'
import { type KnownApp, ownerOf, type Platform } from './platform.ts'

/** Everything under `/open-apis/auth/v3/`. */
export function answerAuth(call: Call, platform: Platform): Answer {
  const { endpoint, fields } = call
  if (endpoint === 'tenant_access_token') return mintStoreTenant(call, platform)
  const refuse = refusal(platform)
  const appId = text(fields?.app_id)
  const appSecret = text(fields?.app_secret)
  if (!appId || !appSecret) return refuse(10003, 'invalid param')
  const app = platform.apps.get(appId)
  if (!app) return refuse(10003, 'invalid app_id')
  if (app.appSecret !== appSecret) return refuse(10014, 'app secret invalid')
  const isInternal = endpoint === 'app_access_token_internal' || endpoint === 'tenant_access_token_internal'
  if (isInternal !== (app.type === 'custom')) return refuse(10003, WRONG_TYPE)
  if (endpoint === 'app_ticket_resend') return { status: 200, body: { code: 0, msg: 'success' }, resendFor: appId }
  if (isInternal) return endpoint === 'app_access_token_internal' ? mintCustomPair(app, platform) : mintCustomTenant(app, platform)

  const ticket = text(fields?.app_ticket)
  if (!ticket) return refuse(10003, 'invalid param')
  if (!app.ledger.acceptsTicket(ticket)) return refuse(10012, 'app ticket invalid')
  const { token, expire, minted } = mint(app, APP_CREDENTIAL)
  return tokens({ app_access_token: token }, expire, [minted])
}

const WRONG_TYPE = 'invalid param: this endpoint is not for an app of this type'

function mintStoreTenant({ fields }: Call, platform: Platform): Answer {
  const refuse = refusal(platform)
  const appToken = text(fields?.app_access_token)
  const tenantKey = text(fields?.tenant_key)
  if (!appToken || !tenantKey) return refuse(10003, 'invalid param')
  const owned = ownerOf(appToken, platform)
  const isLive = owned?.kind === 'app' && owned.app.ledger.judge(appToken) === 'valid'
  if (!isLive) return refuse(platform.behaviour.deadAppTokenCode, 'invalid app_access_token')
  if (owned.app.type === 'custom') return refuse(10003, WRONG_TYPE)
  if (owned.app.disabledTenants.has(tenantKey)) return refuse(99991662, DISABLED)
  const { token, expire, minted } = mint(owned.app, { kind: 'tenant', tenantKey })
  return tokens({ tenant_access_token: token }, expire, [minted])
}

const DISABLED = 'app is disabled in this tenant'

/** Both tokens of a custom app. They can be of different ages after one of them was revoked; `expire` is true of both. */
function mintCustomPair(app: KnownApp, platform: Platform): Answer {
  const { tenantKey, disabledTenants } = app
  if (disabledTenants.has(tenantKey)) return refusal(platform)(99991662, DISABLED)
  const tenant = mint(app, { kind: 'tenant', tenantKey })
  const own = platform.behaviour.customAppToken === 'own' ? mint(app, APP_CREDENTIAL) : tenant
  const expire = Math.min(own.expire, tenant.expire)
  const minted: readonly Minted[] = [{ of: 'app', isNew: own.minted.isNew }, tenant.minted]
  return tokens({ app_access_token: own.token, tenant_access_token: tenant.token }, expire, minted)
}

function mintCustomTenant(app: KnownApp, platform: Platform): Answer {
  const { tenantKey, disabledTenants } = app
  if (disabledTenants.has(tenantKey)) return refusal(platform)(99991662, DISABLED)
  const { token, expire, minted } = mint(app, { kind: 'tenant', tenantKey })
  return tokens({ tenant_access_token: token }, expire, [minted])
}

/** Mints, and audits the mint. */
export function mint(app: KnownApp, credential: Credential): { token: string; expire: number; minted: Minted } {
  const { ledger } = app
  const { token, expire, isNew, atMs }: Mint = ledger.mint(credential)
  const { tokenLifeMs } = ledger.options
  auditMint({ token: token.value, expire, isNew, tokenLifeMs, nowMs: atMs, history: ledger.history(credential) })
  return { token: token.value, expire, minted: { of: credential.kind, isNew } }
}

function tokens(values: Readonly<Record<string, string>>, expire: number, minted: readonly Minted[]): Answer {
  const tokenFields = { tokens: Object.keys(values), expire: 'expire' }
  return { status: 200, body: { code: 0, msg: 'success', ...values, expire }, tokenFields, minted }
}

function refusal({ behaviour }: Platform): (code: number, msg: string) => Answer {
  return (code, msg) => ({ status: behaviour.authErrorStatus, body: { code, msg } })
}
