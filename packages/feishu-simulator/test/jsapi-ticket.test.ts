import { describe, expect, it } from 'vitest'
import { bench, CUSTOM_APP, credentials, HOUR, MINUTE, TENANT_TOKEN_INTERNAL, tokenOf } from './support/client.ts'

describe('POST /open-apis/jssdk/ticket/get', () => {
  it('gives the ticket of a tenant, to GET as well', async () => {
    const { sim, mintTenant, jsapi } = await bench()
    const token = tokenOf(await mintTenant())
    const reply = await jsapi(token)
    expect(reply.json).toEqual({ code: 0, msg: 'ok', data: { ticket: expect.stringMatching(/^\w{40}$/), expire_in: 7200 } })
    expect((await jsapi(token, 'GET')).json).toEqual(reply.json)
    expect((await jsapi(token, 'PUT')).status).toBe(405)
    expect(sim.counters('cli_one', { tenantKey: 'tenant-1' })).toMatchObject({
      requests: { jsapi_ticket: 3, tenant_access_token: 1 },
      newTokens: { jsapi: 1 },
      sameTokens: { jsapi: 1 },
    })
  })

  it('gives each tenant its own, and the same one while it has 30 minutes left', async () => {
    const { sim, clock, mintTenant, jsapi } = await bench()
    const ticketOf = async (tenantKey: string) => (await jsapi(tokenOf(await mintTenant(tenantKey)))).json.data
    const first = await ticketOf('tenant-1')
    expect(await ticketOf('tenant-2')).not.toEqual(first)
    clock.advance(90 * MINUTE)
    expect(await ticketOf('tenant-1')).toEqual({ ...(first as object), expire_in: 1800 })
    clock.advance(1)
    const renewed = await ticketOf('tenant-1')
    expect(renewed).toMatchObject({ expire_in: 7200 })
    expect(renewed).not.toMatchObject({ ticket: (first as { ticket: string }).ticket })
    expect(sim.judge((first as { ticket: string }).ticket)).toBe('valid')
  })

  it('can be revoked, so that the next is a new one or the same', async () => {
    const { sim, mintTenant, jsapi } = await bench()
    const token = tokenOf(await mintTenant())
    const next = async () => ((await jsapi(token)).json.data as { ticket: string }).ticket
    const first = await next()
    expect(sim.revoke('cli_one', { next: 'same', tenantKey: 'tenant-1', jsapi: true })).toBe(first)
    expect([await next(), sim.judge(first)]).toEqual([first, 'revoked'])
    sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-1', jsapi: true })
    expect(await next()).not.toBe(first)
    expect(sim.judge(token)).toBe('valid')
    expect(() => sim.revoke('cli_one', { next: 'new', jsapi: true })).toThrow(TypeError)
  })

  it('wants a live tenant token', async () => {
    const { sim, clock, mint, mintTenant, authorize, jsapi } = await bench()
    const codeFor = async (token: unknown) => (await jsapi(String(token))).json.code
    const token = tokenOf(await mintTenant())
    const ticket = ((await jsapi(token)).json.data as { ticket: string }).ticket
    expect(await codeFor((await mint()).json.app_access_token)).toBe(99991663)
    expect(await codeFor((await authorize()).json.access_token)).toBe(99991663)
    expect(await codeFor(ticket)).toBe(99991671)
    expect(await codeFor('t-unknown')).toBe(99991663)
    sim.disableTenant('cli_one', 'tenant-1')
    expect(await codeFor(token)).toBe(99991662)
    sim.enableTenant('cli_one', 'tenant-1')
    clock.advance(2 * HOUR)
    expect(await codeFor(token)).toBe(99991663)
  })

  it('serves the tenant of a custom app', async () => {
    const { post, jsapi } = await bench({ apps: [CUSTOM_APP] })
    expect((await jsapi(tokenOf(await post(TENANT_TOKEN_INTERNAL, credentials)))).json.code).toBe(0)
  })
})
