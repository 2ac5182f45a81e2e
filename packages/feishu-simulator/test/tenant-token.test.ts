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
})
