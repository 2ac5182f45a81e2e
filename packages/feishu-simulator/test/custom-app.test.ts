import { describe, expect, it } from 'vitest'
import {
  APP,
  APP_TOKEN,
  APP_TOKEN_INTERNAL,
  bench,
  CUSTOM_APP,
  credentials,
  HOUR,
  MINUTE,
  RESEND,
  TENANT_TOKEN,
  TENANT_TOKEN_INTERNAL,
} from './support/client.ts'

async function customBench(options: Parameters<typeof bench>[0] = {}) {
  const world = await bench({ apps: [CUSTOM_APP], ...options })
  return {
    ...world,
    pair: () => world.post(APP_TOKEN_INTERNAL, credentials),
    tenant: () => world.post(TENANT_TOKEN_INTERNAL, credentials),
  }
}

describe('a custom app', () => {
  it('gets both tokens in one call, and the same tenant token from the other endpoint', async () => {
    const { sim, pair, tenant, whoami } = await customBench()
    const both = await pair()
    expect(both.json).toEqual({
      code: 0,
      msg: 'success',
      app_access_token: expect.stringMatching(/^a-\w{40}$/),
      tenant_access_token: expect.stringMatching(/^t-\w{40}$/),
      expire: 7200,
    })
    expect((await tenant()).json).toEqual({ code: 0, msg: 'success', tenant_access_token: both.json.tenant_access_token, expire: 7200 })
    expect((await pair()).json).toEqual(both.json)
    expect((await whoami(String(both.json.app_access_token))).json.data).toEqual({ app_id: 'cli_one', token_type: 'app' })
    expect((await whoami(String(both.json.tenant_access_token))).json.data).toEqual({
      app_id: 'cli_one',
      token_type: 'tenant',
      tenant_key: 'tenant-own',
    })
    expect(sim.counters('cli_one', { tenantKey: 'tenant-own' })).toMatchObject({
      requests: { app_access_token_internal: 2, tenant_access_token_internal: 1, api: 1 },
      newTokens: { app: 1, tenant: 1 },
      sameTokens: { app: 1, tenant: 2 },
    })
  })

  it('gets the tenant token in the place of the app token where told to', async () => {
    const { pair } = await customBench({ behaviour: { customAppToken: 'tenant' } })
    const { json } = await pair()
    expect(json.app_access_token).toMatch(/^t-/)
    expect(json.app_access_token).toBe(json.tenant_access_token)
  })

  it('keeps its tokens until they have less than 30 minutes left', async () => {
    const { sim, clock, pair, tenant } = await customBench()
    const first = (await pair()).json
    clock.advance(90 * MINUTE)
    expect((await pair()).json).toEqual({ ...first, expire: 1800 })
    clock.advance(1)
    const renewed = (await tenant()).json
    expect(renewed.tenant_access_token).not.toBe(first.tenant_access_token)
    expect(sim.judge(String(first.tenant_access_token))).toBe('valid')
    const both = (await pair()).json
    expect(both.tenant_access_token).toBe(renewed.tenant_access_token)
    expect(both.app_access_token).not.toBe(first.app_access_token)
  })

  it('is told the life of the token that ends first', async () => {
    const { sim, clock, pair } = await customBench()
    const first = (await pair()).json
    clock.advance(HOUR)
    expect(sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-own' })).toBe(first.tenant_access_token)
    const both = (await pair()).json
    expect(both).toMatchObject({ app_access_token: first.app_access_token, expire: 3600 })
    expect(both.tenant_access_token).not.toBe(first.tenant_access_token)
    sim.revoke('cli_one', { next: 'same' })
    expect((await pair()).json.app_access_token).toBe(first.app_access_token)
    expect(sim.judge(String(first.app_access_token))).toBe('revoked')
  })

  it.each([
    ['an unknown app', { ...credentials, app_id: 'cli_other' }, 10003],
    ['a wrong secret', { ...credentials, app_secret: 'wrong' }, 10014],
    ['no secret', { app_id: credentials.app_id }, 10003],
  ])('is refused for %s', async (_, fields, code) => {
    const { post } = await customBench()
    for (const path of [APP_TOKEN_INTERNAL, TENANT_TOKEN_INTERNAL]) expect((await post(path, fields)).json.code).toBe(code)
  })

  it('is refused in a tenant that has switched it off', async () => {
    const { sim, pair, tenant } = await customBench()
    sim.disableTenant('cli_one', 'tenant-own')
    expect([(await pair()).json.code, (await tenant()).json.code]).toEqual([99991662, 99991662])
    sim.enableTenant('cli_one', 'tenant-own')
    expect([(await pair()).json.code, (await tenant()).json.code]).toEqual([0, 0])
  })

  it('is never pushed a ticket of its own accord', async () => {
    const { sim, clock } = await customBench({ apps: [CUSTOM_APP, { ...APP, appId: 'cli_store' }], pushTickets: 'scheduled' })
    const pushed = sim.next('delivery')
    clock.advance(HOUR)
    expect((await pushed).delivery.appId).toBe('cli_store')
    expect(sim.counters('cli_one').tickets.pushed).toBe(0)
  })
})

describe('an app of the wrong type', () => {
  it('gets a configuration error from the endpoints of the other type', async () => {
    const store = await bench()
    for (const path of [APP_TOKEN_INTERNAL, TENANT_TOKEN_INTERNAL]) expect((await store.post(path, credentials)).json.code).toBe(10003)
    const custom = await customBench()
    const ticket = custom.sim.issueTicket('cli_one')
    expect((await custom.mint(ticket)).json.code).toBe(10003)
    expect((await custom.post(RESEND, credentials)).json.code).toBe(10003)
    const { app_access_token } = (await custom.pair()).json
    expect((await custom.post(TENANT_TOKEN, { app_access_token, tenant_key: 'tenant-own' })).json.code).toBe(10003)
    expect((await store.post(APP_TOKEN, credentials)).json.code).toBe(10003)
  })
})
