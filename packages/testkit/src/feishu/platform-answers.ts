import type { Minted } from '../simulation/token-ledger.ts'
import type { PlatformReply } from './simulated-dispatcher.ts'

const MINUTE_MS = 60_000

/** A token lives for two hours, and comes again while it has 30 minutes left. */
export const LIFE = { lifeMs: 120 * MINUTE_MS, sameAboveMs: 30 * MINUTE_MS }

export const PATHS = {
  app: '/open-apis/auth/v3/app_access_token',
  tenant: '/open-apis/auth/v3/tenant_access_token',
  custom: '/open-apis/auth/v3/app_access_token/internal',
  resend: '/open-apis/auth/v3/app_ticket/resend',
  user: '/open-apis/authen/v2/oauth/token',
  jsapi: '/open-apis/jssdk/ticket/get',
}

type Body = Readonly<Record<string, unknown>>

export function minted(field: string, { value, endsAt }: Minted, now: number): Body {
  return { code: 0, msg: 'ok', [field]: value, expire: (endsAt - now) / 1_000 }
}

/** JSON, and the HTTP status that goes with its `code`. */
export function answer(body: Body, headers: Readonly<Record<string, string>> = {}): PlatformReply {
  const status = body.code === 0 ? 200 : body.code === 99991400 ? 429 : 400
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
