import { type FeishuSimulator, type FeishuSimulatorOptions, type SimulatedApp, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { afterEach, expect } from 'vitest'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export const APP: SimulatedApp = { appId: 'cli_one', appSecret: 'secret-one', verificationToken: 'verification-one' }
export const SEALED_APP: SimulatedApp = { ...APP, encryptKey: 'encrypt-key-one' }

export const CUSTOM_APP: SimulatedApp = { ...APP, type: 'custom', tenantKey: 'tenant-own' }

export const APP_TOKEN = '/open-apis/auth/v3/app_access_token'
export const TENANT_TOKEN = '/open-apis/auth/v3/tenant_access_token'
export const APP_TOKEN_INTERNAL = '/open-apis/auth/v3/app_access_token/internal'
export const TENANT_TOKEN_INTERNAL = '/open-apis/auth/v3/tenant_access_token/internal'
export const OAUTH_TOKEN = '/open-apis/authen/v2/oauth/token'
export const OIDC_TOKEN = '/open-apis/authen/v1/oidc/access_token'
export const JSAPI_TICKET = '/open-apis/jssdk/ticket/get'
export const USER_INFO = '/open-apis/authen/v1/user_info'
export const RESEND = '/open-apis/auth/v3/app_ticket/resend'
export const WHOAMI = '/open-apis/simulator/whoami'

/** A reply of the simulator, with its body parsed where it is JSON. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

/** A simulator under test, closed after it. */
export interface Bench {
  readonly sim: FeishuSimulator
  readonly clock: VirtualClock
  post(path: string, fields: unknown, init?: RequestInit): Promise<Reply>
  /** Mints an app token with a ticket that is valid unless told. */
  mint(ticket?: string, init?: RequestInit): Promise<Reply>
  resend(): Promise<Reply>
  /** Exchanges a code, a new one of `user-1` unless told. */
  authorize(code?: string, fields?: object): Promise<Reply>
  refresh(refreshToken: unknown, fields?: object): Promise<Reply>
  /** Mints an app token, and with it a token of a tenant. */
  mintTenant(tenantKey?: string): Promise<Reply>
  /** Asks for a ticket of the JS SDK. */
  jsapi(token: string, method?: string): Promise<Reply>
  whoami(token: string): Promise<Reply>
}

const closers: (() => Promise<unknown>)[] = []

/** Has `close` called after the test, the last registered first. */
export function afterTest(close: () => Promise<unknown>): void {
  closers.push(close)
}

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Starts a simulator with one app on a virtual clock; tickets are pushed by hand unless told. */
export async function bench(options: Partial<FeishuSimulatorOptions> = {}): Promise<Bench> {
  const clock = virtualClock()
  const sim = await startFeishuSimulator({ apps: [APP], clock, pushTickets: 'manual', ...options })
  afterTest(async () => {
    await sim.close()
    expect(clock.pending).toBe(0)
  })
  const ticket = sim.issueTicket('cli_one')
  const post: Bench['post'] = (path, fields, init) =>
    send(`${sim.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(fields),
      ...init,
    })
  const mint: Bench['mint'] = (withTicket = ticket, init) => post(APP_TOKEN, { ...credentials, app_ticket: withTicket }, init)
  return {
    sim,
    clock,
    post,
    authorize: (code = sim.issueCode('cli_one', 'user-1'), fields = {}) =>
      post(OAUTH_TOKEN, { grant_type: 'authorization_code', ...client, code, ...fields }),
    refresh: (refreshToken, fields = {}) =>
      post(OAUTH_TOKEN, { grant_type: 'refresh_token', ...client, refresh_token: refreshToken, ...fields }),
    mintTenant: async (tenantKey = 'tenant-1') => post(TENANT_TOKEN, { app_access_token: tokenOf(await mint()), tenant_key: tenantKey }),
    jsapi: (token, method = 'POST') => send(`${sim.url}${JSAPI_TICKET}`, { method, headers: { authorization: `Bearer ${token}` } }),
    mint,
    resend: () => post(RESEND, credentials),
    whoami: (token) => send(`${sim.url}${WHOAMI}`, { headers: { authorization: `Bearer ${token}` } }),
  }
}

export const credentials = { app_id: APP.appId, app_secret: APP.appSecret }

const client = { client_id: APP.appId, client_secret: APP.appSecret }

export async function send(url: string, init: RequestInit): Promise<Reply> {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

export function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/** The token in a reply of a mint; the app's own where there are two. */
export function tokenOf({ json }: Reply): string {
  return String(json.app_access_token ?? json.tenant_access_token)
}
