import * as lark from '@larksuiteoapi/node-sdk'
import { type Behaviour, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { APP, APP_TOKEN_INTERNAL, afterTest, CUSTOM_APP, OAUTH_TOKEN, TENANT_TOKEN_INTERNAL, WHOAMI } from './support/client.ts'
import { virtualClock } from './support/virtual-clock.ts'

const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, trace: () => {} }

/** The official client of a custom app, as its documentation sets it up. */
async function officialClient(behaviour: Partial<Behaviour> = {}) {
  const sim = await startFeishuSimulator({ apps: [CUSTOM_APP], clock: virtualClock(), behaviour })
  afterTest(() => sim.close())
  const { appId, appSecret } = CUSTOM_APP
  return { sim, client: new lark.Client({ appId, appSecret, domain: sim.url, cache: new lark.DefaultCache(), logger: quiet }) }
}

const { app_id, app_secret } = { app_id: CUSTOM_APP.appId, app_secret: CUSTOM_APP.appSecret }

const whoami = (client: lark.Client) => client.request({ method: 'GET', url: WHOAMI })

/** What its OAuth calls reject with. */
const codeOf = (error: { readonly response: { readonly data: { readonly code: number } } }) => error.response.data.code

describe('the official client of a custom app, unmodified', () => {
  it('calls with the tenant token of its one tenant, fetched once', async () => {
    const { sim, client } = await officialClient()
    const owner = { app_id: 'cli_one', token_type: 'tenant', tenant_key: 'tenant-own' }
    for (let call = 0; call < 3; call += 1) expect(await whoami(client)).toEqual({ code: 0, msg: 'success', data: owner })
    expect(sim.counters('cli_one', { tenantKey: 'tenant-own' })).toMatchObject({
      requests: { tenant_access_token_internal: 1, app_access_token_internal: 0, api: 3 },
      newTokens: { app: 0, tenant: 1 },
    })
  })

  it('mints once for each of twenty concurrent first calls', async () => {
    const { sim, client } = await officialClient()
    await Promise.all(Array.from({ length: 20 }, () => whoami(client)))
    expect(sim.counters()).toMatchObject({
      requests: { tenant_access_token_internal: 20 },
      newTokens: { tenant: 1 },
      sameTokens: { tenant: 19 },
    })
  })

  it('goes on using a tenant token that was revoked', async () => {
    const { sim, client } = await officialClient()
    await whoami(client)
    sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-own' })
    await expect(whoami(client)).rejects.toMatchObject({ response: { data: { code: 99991663 } } })
    expect(sim.counters().requests.tenant_access_token_internal).toBe(1)
  })

  it('reads both tokens and their life from the internal endpoints', async () => {
    const { sim, client } = await officialClient()
    const data = { app_id, app_secret }
    const pair = await client.auth.appAccessToken.internal({ data })
    expect(pair).toMatchObject({ code: 0, app_access_token: expect.any(String), tenant_access_token: expect.any(String), expire: 7200 })
    const { tenant_access_token } = pair as { tenant_access_token?: string }
    expect(await client.auth.tenantAccessToken.internal({ data })).toMatchObject({ code: 0, tenant_access_token })
    expect(sim.requests.map(({ path }) => path)).toContain(APP_TOKEN_INTERNAL)
    expect(sim.requests.map(({ path }) => path)).toContain(TENANT_TOKEN_INTERNAL)
  })

  it('fails when its app is a store app', async () => {
    const sim = await startFeishuSimulator({ apps: [APP], clock: virtualClock() })
    afterTest(() => sim.close())
    const client = new lark.Client({ appId: app_id, appSecret: app_secret, domain: sim.url, cache: new lark.DefaultCache(), logger: quiet })
    await expect(whoami(client)).rejects.toThrow(/code: 10003/)
  })

  it('gets a ticket of the JS SDK', async () => {
    const { client } = await officialClient()
    expect(await client.request({ method: 'POST', url: '/open-apis/jssdk/ticket/get' })).toMatchObject({
      code: 0,
      data: { ticket: expect.any(String), expire_in: 7200 },
    })
  })
})

describe('the official client with a user', () => {
  it.each([{}, { customAppToken: 'tenant' as const }])('exchanges a code, refreshes, and calls as the user (%j)', async (behaviour) => {
    const { sim, client } = await officialClient(behaviour)
    const login = await client.authen.oidcAccessToken.create({
      data: { grant_type: 'authorization_code', code: sim.issueCode('cli_one', 'user-1') },
    })
    expect(login).toEqual({
      code: 0,
      msg: 'success',
      data: {
        access_token: expect.stringMatching(/^u-/),
        refresh_token: expect.stringMatching(/^ur-/),
        token_type: 'Bearer',
        expires_in: 7200,
        refresh_expires_in: 604_800,
        scope: 'auth:user.id:read offline_access',
      },
    })
    const refreshed = await client.authen.oidcRefreshAccessToken.create({
      data: { grant_type: 'refresh_token', refresh_token: login.data?.refresh_token ?? '' },
    })
    const token = refreshed.data?.access_token ?? ''
    expect(token).not.toBe(login.data?.access_token)
    expect(await client.authen.userInfo.get({}, lark.withUserAccessToken(token))).toMatchObject({ code: 0, data: { open_id: 'user-1' } })
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: true, rotations: 1, accessToken: token })
    expect(sim.counters('cli_one', { userId: 'user-1' })).toMatchObject({ requests: { oidc_token: 2, api: 1 }, newTokens: { user: 2 } })
  })

  it('loses the login when it refreshes twice with one token', async () => {
    const { sim, client } = await officialClient()
    const login = await client.authen.oidcAccessToken.create({
      data: { grant_type: 'authorization_code', code: sim.issueCode('cli_one', 'user-1') },
    })
    const refresh = (refresh_token = '') =>
      client.authen.oidcRefreshAccessToken.create({ data: { grant_type: 'refresh_token', refresh_token } })
    const next = await refresh(login.data?.refresh_token)
    expect(await refresh(login.data?.refresh_token).catch(codeOf)).toBe(20073)
    expect(await refresh(next.data?.refresh_token).catch(codeOf)).toBe(20064)
    expect(sim.presentedTwice('cli_one').map(({ value }) => value)).toEqual([login.data?.refresh_token])
  })

  it('fails with a code that is unknown, and with the token of a user in the place of the app’s', async () => {
    const { sim, client } = await officialClient()
    const data = { grant_type: 'authorization_code', code: 'any' }
    expect(await client.authen.oidcAccessToken.create({ data }).catch(codeOf)).toBe(20003)
    const code = sim.issueCode('cli_one', 'user-1')
    const login = await client.authen.oidcAccessToken.create({ data: { ...data, code } })
    const asUser = lark.withUserAccessToken(login.data?.access_token ?? '')
    expect(await client.authen.oidcAccessToken.create({ data }, asUser).catch(codeOf)).toBe(99991664)
  })

  it('refreshes at the current endpoint too, where it sends what it is given', async () => {
    const { sim, client } = await officialClient()
    const oauth = (data: object) =>
      client.request({ method: 'POST', url: OAUTH_TOKEN, data: { client_id: app_id, client_secret: app_secret, ...data } })
    const login = await oauth({ grant_type: 'authorization_code', code: sim.issueCode('cli_one', 'user-1') })
    expect(await oauth({ grant_type: 'refresh_token', refresh_token: login.refresh_token })).toMatchObject({
      code: 0,
      refresh_token_expires_in: 604_800,
    })
    expect(await oauth({ grant_type: 'refresh_token', refresh_token: login.refresh_token }).catch(codeOf)).toBe(20073)
  })
})
