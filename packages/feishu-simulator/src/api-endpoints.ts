import { type Answer, bearerToken, type Call, USER_INFO_PATH } from './endpoints.ts'
import { mint } from './mint-endpoints.ts'
import { type OwnedToken, ownerOf, type Platform } from './platform.ts'

/** Any endpoint that wants a token: tells whether it is good, and whose it is. */
export function answerApi({ authorization, path }: Call, platform: Platform): Answer {
  const token = bearerToken(authorization) ?? ''
  const owned = ownerOf(token, platform)
  const code = refusalOf(token, owned)
  if (code !== undefined || owned === undefined) return refuse(code ?? invalidCode(token), platform)
  if (path.replace(/\/$/, '') === USER_INFO_PATH) {
    return owned.kind === 'user' ? success({ open_id: owned.userId, user_id: owned.userId }) : refuse(99991668, platform)
  }
  return success({ app_id: owned.app.appId, token_type: owned.kind, ...holderOf(owned) })
}

/** Gives the ticket of a tenant for the JS SDK, by the rule of the tokens: the same one while it has 30 minutes left. */
export function giveJsapiTicket({ authorization }: Call, platform: Platform): Answer {
  const token = bearerToken(authorization) ?? ''
  const owned = ownerOf(token, platform)
  const code = refusalOf(token, owned)
  if (code !== undefined || owned === undefined) return refuse(code ?? invalidCode(token), platform)
  if (owned.kind === 'user' || owned.entry.tenantKey === undefined) return refuse(99991663, platform)
  const { token: ticket, expire, minted } = mint(owned.app, { kind: 'jsapi', tenantKey: owned.entry.tenantKey })
  return {
    status: 200,
    body: { code: 0, msg: 'ok', data: { expire_in: expire, ticket } },
    tokenFields: { within: 'data', tokens: ['ticket'], expire: 'expire_in' },
    minted: [minted],
  }
}

/** Why a token is refused; `undefined` when it is good. */
function refusalOf(token: string, owned: OwnedToken | undefined): number | undefined {
  if (owned === undefined) return invalidCode(token)
  const { app } = owned
  if (owned.kind === 'user') {
    const state = app.users.judge(token)
    if (state === 'valid') return undefined
    return state === 'expired' ? 99991677 : 99991668
  }
  const { tenantKey } = owned.entry
  if (app.ledger.judge(token) !== 'valid') return owned.kind === 'app' ? 99991664 : 99991663
  return tenantKey !== undefined && app.disabledTenants.has(tenantKey) ? 99991662 : undefined
}

function holderOf(owned: OwnedToken): Readonly<Record<string, string>> {
  if (owned.kind === 'user') return { user_id: owned.userId }
  return owned.entry.tenantKey === undefined ? {} : { tenant_key: owned.entry.tenantKey }
}

/** How an unknown token is refused, by its shape: that of an app, a tenant, a user, or of none of them. */
function invalidCode(token: string): number {
  if (token.startsWith('t-')) return 99991663
  if (token.startsWith('u-')) return 99991668
  return token.startsWith('a-') || JWT.test(token) ? 99991664 : 99991671
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

function success(data: Readonly<Record<string, string>>): Answer {
  return { status: 200, body: { code: 0, msg: 'success', data } }
}

function refuse(code: number, { behaviour }: Platform): Answer {
  return { status: behaviour.apiErrorStatus, body: { code, msg: 'Invalid access token for authorization' } }
}
