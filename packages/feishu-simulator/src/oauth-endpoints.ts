import { auditGrant } from './audit.ts'
import { type Answer, bearerToken, type Call, type Fields, text } from './endpoints.ts'
import { type OauthCode, oauthRefusal } from './oauth-refusal.ts'
import { type KnownApp, ownerOf, type Platform } from './platform.ts'
import type { Grant } from './user-ledger.ts'

/** `/open-apis/authen/v2/oauth/token`: the app proves itself in the body. */
export function answerOauth({ fields = {} }: Call, platform: Platform): Answer {
  const refuse = (code: OauthCode): Answer => ({ status: platform.behaviour.oauthErrorStatus, body: oauthRefusal(code) })
  const appId = text(fields.client_id)
  const appSecret = text(fields.client_secret)
  if (!appId || !appSecret) return refuse(20001)
  const app = platform.apps.get(appId)
  if (!app) return refuse(20048)
  if (app.appSecret !== appSecret) return refuse(20002)
  const outcome = exchange(app, fields, platform)
  if (typeof outcome === 'number') return refuse(outcome)
  const { access_token, expires_in, refresh_token, refresh_expires_in, scope } = contentOf(outcome)
  const refresh = refresh_token === undefined ? {} : { refresh_token, refresh_token_expires_in: refresh_expires_in }
  return {
    status: 200,
    body: { code: 0, access_token, expires_in, ...refresh, scope, token_type: 'Bearer' },
    tokenFields: { tokens: ['access_token', 'refresh_token'], expire: 'expires_in' },
    minted: MINTED,
  }
}

/** The older `/open-apis/authen/v1/oidc/…`: the app proves itself by its token. The official client knows these alone. */
export function answerOidc({ authorization, fields = {} }: Call, platform: Platform): Answer {
  const { apiErrorStatus, oauthErrorStatus } = platform.behaviour
  const token = bearerToken(authorization) ?? ''
  const owned = ownerOf(token, platform)
  // The app token of a custom app can be its tenant token, so the platform cannot refuse that one here.
  const isFitting = owned?.kind === 'app' || (owned?.kind === 'tenant' && owned.app.type === 'custom')
  if (!isFitting || owned.app.ledger.judge(token) !== 'valid') {
    return { status: apiErrorStatus, body: { code: 99991664, msg: 'Invalid access token for authorization' } }
  }
  const outcome = exchange(owned.app, fields, platform)
  if (typeof outcome === 'number') {
    const { code, error_description } = oauthRefusal(outcome)
    return { status: oauthErrorStatus, body: { code, msg: error_description } }
  }
  return {
    status: 200,
    body: { code: 0, msg: 'success', data: { ...contentOf(outcome), token_type: 'Bearer' } },
    tokenFields: { within: 'data', tokens: ['access_token', 'refresh_token'], expire: 'expires_in' },
    minted: MINTED,
  }
}

/** Every grant is a new pair. */
const MINTED = [{ of: 'user', isNew: true }] as const

/** Exchanges a code or a refresh token; the code of the refusal where it may not. */
function exchange(app: KnownApp, fields: Fields, { apps }: Platform): Grant | OauthCode {
  const others = [...apps.values()].filter((other) => other !== app)
  const { grant_type } = fields
  if (!text(grant_type)) return 20001
  if (grant_type === 'authorization_code') {
    const code = text(fields.code)
    if (!code) return 20001
    if (others.some(({ users }) => users.ownerOfCode(code) !== undefined)) return 20024
    return audited(app, app.users.redeem(code, text(fields.redirect_uri)))
  }
  if (grant_type !== 'refresh_token') return 20036
  const token = text(fields.refresh_token)
  if (!token) return 20001
  if (others.some(({ users }) => users.ownerOfRefreshToken(token) !== undefined)) return 20024
  return audited(app, app.users.refresh(token))
}

function audited({ users }: KnownApp, outcome: Grant | OauthCode): Grant | OauthCode {
  if (typeof outcome !== 'number') auditGrant(outcome, users.options)
  return outcome
}

function contentOf({ accessToken, refreshToken, scope, atMs }: Grant) {
  const seconds = (untilMs: number): number => Math.floor((untilMs - atMs) / 1000)
  return {
    access_token: accessToken.value,
    expires_in: seconds(accessToken.expiresAtMs),
    ...(refreshToken && { refresh_token: refreshToken.value, refresh_expires_in: seconds(refreshToken.expiresAtMs) }),
    scope,
  }
}
