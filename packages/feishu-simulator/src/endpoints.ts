import { auditMint } from './audit.ts'
import type { Behaviour } from './behaviour.ts'
import type { AppLedger } from './ledger.ts'

/** `api` is every path under `/open-apis/` but `/open-apis/auth/`; `other` is everything else. */
export type Endpoint = 'app_access_token' | 'tenant_access_token' | 'app_ticket_resend' | 'api' | 'other'

export const ENDPOINTS: readonly Endpoint[] = ['app_access_token', 'tenant_access_token', 'app_ticket_resend', 'api', 'other']

const AUTH_ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/open-apis/auth/v3/app_access_token': 'app_access_token',
  '/open-apis/auth/v3/tenant_access_token': 'tenant_access_token',
  '/open-apis/auth/v3/app_ticket/resend': 'app_ticket_resend',
}

/** The endpoint a path belongs to. Older clients end paths with a slash. */
export function endpointOf(path: string): Endpoint {
  const known = AUTH_ENDPOINTS[path.replace(/\/$/, '')]
  if (known) return known
  return path.startsWith('/open-apis/') && !path.startsWith('/open-apis/auth/') ? 'api' : 'other'
}

export type Fields = Readonly<Record<string, unknown>>

/** A request, read and parsed. */
export interface Call {
  readonly endpoint: Endpoint
  readonly method: string
  /** Absent when the body is not a JSON object, or was not sent as `application/json`. */
  readonly fields?: Fields
  /** The header `Authorization`. */
  readonly authorization?: string
}

/** What the platform answers, and what else the request brought about. */
export interface Answer {
  readonly status: number
  readonly body: Fields
  /** The field that carries the token. */
  readonly tokenField?: string
  /** What the request brought about, and for which app. */
  readonly effect?: { readonly appId: string; readonly kind: Effect }
}

/** A mint that made a new token, a mint that gave the last one back, or a ticket that is to be pushed. */
export type Effect = 'new-token' | 'same-token' | 'resend'

/** An app as the endpoints see it. */
export interface KnownApp {
  readonly appId: string
  readonly appSecret: string
  readonly ledger: AppLedger
}

export interface Platform {
  readonly apps: ReadonlyMap<string, KnownApp>
  readonly behaviour: Behaviour
}

/** Decides on a request. Changes nothing but the ledger of the app it is for. */
export function answer(call: Call, platform: Platform): Answer {
  if (call.endpoint === 'other') return { status: 404, body: { code: 404, msg: 'no such path in the simulator' } }
  if (call.endpoint === 'api') return answerApi(call, platform)
  if (call.method !== 'POST') return { status: 405, body: { code: 405, msg: 'method not allowed' } }
  if (call.endpoint === 'tenant_access_token') return mintTenantToken(call, platform)

  const refuse = (code: number, msg: string): Answer => ({ status: platform.behaviour.authErrorStatus, body: { code, msg } })
  const appId = text(call.fields?.app_id)
  const appSecret = text(call.fields?.app_secret)
  if (!appId || !appSecret) return refuse(10003, 'invalid param')
  const app = platform.apps.get(appId)
  if (!app) return refuse(10003, 'invalid app_id')
  if (app.appSecret !== appSecret) return refuse(10014, 'app secret invalid')
  if (call.endpoint === 'app_ticket_resend') return { status: 200, body: { code: 0, msg: 'success' }, effect: { appId, kind: 'resend' } }

  const ticket = text(call.fields?.app_ticket)
  if (!ticket) return refuse(10003, 'invalid param')
  if (!app.ledger.acceptsTicket(ticket)) return refuse(10012, 'app ticket invalid')
  return mint(app, 'app_access_token')
}

function mintTenantToken(call: Call, platform: Platform): Answer {
  const { authErrorStatus: status, deadAppTokenCode } = platform.behaviour
  const appToken = text(call.fields?.app_access_token)
  const tenantKey = text(call.fields?.tenant_key)
  if (!appToken || !tenantKey) return { status, body: { code: 10003, msg: 'invalid param' } }
  const app = ownerOf(appToken, platform)
  const alive = app?.ledger.judge(appToken) === 'valid' && app.ledger.find(appToken)?.tenantKey === undefined
  return alive ? mint(app, 'tenant_access_token', tenantKey) : { status, body: { code: deadAppTokenCode, msg: 'invalid app_access_token' } }
}

function mint(app: KnownApp, tokenField: string, tenantKey?: string): Answer {
  const { token, expire, isNew, atMs } = app.ledger.mint(tenantKey)
  const { tokenLifeMs } = app.ledger.options
  auditMint({ token: token.value, expire, isNew, tokenLifeMs, nowMs: atMs, history: app.ledger.history(tenantKey) })
  const body = { code: 0, msg: 'success', [tokenField]: token.value, expire }
  return { status: 200, body, tokenField, effect: { appId: app.appId, kind: isNew ? 'new-token' : 'same-token' } }
}

/** Any endpoint that wants a token: tells whether it is good, and whose it is. */
function answerApi(call: Call, platform: Platform): Answer {
  const token = bearerToken(call.authorization) ?? ''
  const app = ownerOf(token, platform)
  const entry = app?.ledger.find(token)
  if (app && entry && app.ledger.judge(token) === 'valid') {
    const owner = entry.tenantKey === undefined ? { token_type: 'app' } : { token_type: 'tenant', tenant_key: entry.tenantKey }
    return { status: 200, body: { code: 0, msg: 'success', data: { app_id: app.appId, ...owner } } }
  }
  const code = entry ? invalidCode(entry.tenantKey === undefined ? 'a-' : 't-') : invalidCode(token)
  return { status: platform.behaviour.apiErrorStatus, body: { code, msg: 'Invalid access token for authorization' } }
}

/** How a dead or unknown token is refused, by its shape: that of an app, a tenant, a user, or of none of them. */
function invalidCode(token: string): number {
  if (token.startsWith('t-')) return 99991663
  if (token.startsWith('u-')) return 99991668
  return token.startsWith('a-') || JWT.test(token) ? 99991664 : 99991671
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** The app that minted a token, whatever became of it since. */
function ownerOf(token: string, platform: Platform): KnownApp | undefined {
  for (const app of platform.apps.values()) {
    if (app.ledger.find(token)) return app
  }
  return undefined
}

/** The app a request says it is for, or whose token it carries; for the record, not to be trusted. */
export function claimedApp(fields: Fields, authorization: string | undefined, platform: Platform): string | undefined {
  const appId = text(fields.app_id)
  if (appId) return platform.apps.get(appId)?.appId
  const token = text(fields.app_access_token) ?? bearerToken(authorization)
  return token && ownerOf(token, platform)?.appId
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
