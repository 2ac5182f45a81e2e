import { describe, expect, it } from 'vitest'
import { bench, HOUR, MINUTE, TENANT_TOKEN, tokenOf } from './support/client.ts'

describe('POST /open-apis/auth/v3/tenant_access_token', () => {
  it('mints one token per tenant for a live app token, by the same rule as app tokens', async () => {
    const { clock, mint, post, whoami } = await bench()
    const fields = { app_access_token: tokenOf(await mint()), tenant_key: 'tenant-1' }
    const first = await post(TENANT_TOKEN, fields)
    expect(first.json).toEqual({ code: 0, msg: 'success', tenant_access_token: expect.stringMatching(/^t-\w{40}$/), expire: 7200 })
    clock.advance(90 * MINUTE)
    expect((await post(TENANT_TOKEN, fields)).json).toEqual({ ...first.json, expire: 1800 })
    expect(tokenOf(await post(TENANT_TOKEN, { ...fields, tenant_key: 'tenant-2' }))).not.toBe(tokenOf(first))
    clock.advance(1)
    expect(tokenOf(await post(TENANT_TOKEN, fields))).not.toBe(tokenOf(first))
    expect((await whoami(tokenOf(first))).json).toMatchObject({ code: 0, data: { token_type: 'tenant', tenant_key: 'tenant-1' } })
  })

  it.each([{}, { behaviour: { deadAppTokenCode: 10013 as const } }])('refuses an app token that is not live (%j)', async (options) => {
    const code = options.behaviour?.deadAppTokenCode ?? 99991664
    const { sim, clock, mint, post } = await bench(options)
    const exchange = async (token: string) => (await post(TENANT_TOKEN, { app_access_token: token, tenant_key: 'tenant-1' })).json.code
    const expired = tokenOf(await mint())
    clock.advance(2 * HOUR)
    const revoked = tokenOf(await mint())
    const tenantToken = tokenOf(await post(TENANT_TOKEN, { app_access_token: revoked, tenant_key: 'tenant-1' }))
    sim.revoke('cli_one', { next: 'new' })
    for (const token of [expired, revoked, tenantToken, 'a-unknown']) expect(await exchange(token)).toBe(code)
  })

  it('refuses a request without a tenant key or an app token', async () => {
    const { mint, post } = await bench()
    expect((await post(TENANT_TOKEN, { app_access_token: tokenOf(await mint()) })).json.code).toBe(10003)
    expect((await post(TENANT_TOKEN, { tenant_key: 'tenant-1' })).json.code).toBe(10003)
  })

  it('refuses a tenant that has switched the app off, its tokens too, until it switches it on again', async () => {
    const { sim, mintTenant, whoami } = await bench()
    const token = tokenOf(await mintTenant('tenant-1'))
    sim.disableTenant('cli_one', 'tenant-1')
    expect((await mintTenant('tenant-1')).json).toEqual({ code: 99991662, msg: expect.any(String) })
    expect(await whoami(token)).toMatchObject({ status: 400, json: { code: 99991662 } })
    expect((await mintTenant('tenant-2')).json.code).toBe(0)
    sim.enableTenant('cli_one', 'tenant-1')
    expect([(await mintTenant('tenant-1')).json.code, (await whoami(token)).json.code]).toEqual([0, 0])
  })

  it('counts a thousand tenants as a thousand requests, each for itself', async () => {
    const { sim, mint, post } = await bench()
    const app_access_token = tokenOf(await mint())
    const keys = Array.from({ length: 1000 }, (_, index) => `tenant-${index}`)
    const minted = new Set<string>()
    for (let from = 0; from < keys.length; from += 50) {
      const replies = keys.slice(from, from + 50).map((tenant_key) => post(TENANT_TOKEN, { app_access_token, tenant_key }))
      for (const reply of await Promise.all(replies)) minted.add(tokenOf(reply))
    }
    expect(minted.size).toBe(1000)
    expect(sim.counters()).toMatchObject({
      requests: { app_access_token: 1, tenant_access_token: 1000 },
      newTokens: { app: 1, tenant: 1000 },
    })
    expect(sim.subjects('cli_one').tenantKeys).toEqual(keys)
    expect(keys.map((tenantKey) => sim.counters('cli_one', { tenantKey }).newTokens.tenant)).toEqual(keys.map(() => 1))
  })

  it('tells tenants apart whose keys differ by their Unicode form or by separators alone', async () => {
    const { sim, mintTenant } = await bench()
    const keys = ['caf\u00e9', 'cafe\u0301', 'a', 'a ', 'a/b', 'a:b', 'a\u0000b', '["a"]']
    const tokens = []
    for (const key of keys) tokens.push(tokenOf(await mintTenant(key)))
    expect(new Set(tokens).size).toBe(keys.length)
    for (const key of keys) expect(tokenOf(await mintTenant(key))).toBe(tokens[keys.indexOf(key)])
    expect(sim.subjects('cli_one').tenantKeys).toEqual(keys)
  })
})
