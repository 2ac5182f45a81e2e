import { describe, expect, it } from 'vitest'
import { bench, HOUR, MINUTE, send, TENANT_TOKEN, tokenOf, WHOAMI } from './support/client.ts'

describe('any other endpoint', () => {
  it('tells whose token a live one is', async () => {
    const { mint, whoami } = await bench()
    expect((await whoami(tokenOf(await mint()))).json).toEqual({
      code: 0,
      msg: 'success',
      data: { app_id: 'cli_one', token_type: 'app' },
    })
  })

  it('refuses dead and unknown tokens by their kind, with HTTP status 400', async () => {
    const { sim, mint, post, whoami } = await bench()
    const app = tokenOf(await mint())
    const tenant = tokenOf(await post(TENANT_TOKEN, { app_access_token: app, tenant_key: 'tenant-1' }))
    sim.revoke('cli_one', { next: 'new' })
    sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-1' })
    expect(await whoami(app)).toMatchObject({ status: 400, json: { code: 99991664 } })
    expect(await whoami(tenant)).toMatchObject({ status: 400, json: { code: 99991663 } })
    expect((await whoami('a-unknown')).json.code).toBe(99991664)
    expect((await whoami('t-unknown')).json.code).toBe(99991663)
    expect((await whoami('u-unknown')).json.code).toBe(99991668)
    expect((await whoami('header.payload.signature')).json.code).toBe(99991664)
    expect((await whoami('malformed')).json.code).toBe(99991671)
  })

  it('refuses a request without a bearer token as malformed', async () => {
    const { sim } = await bench()
    expect((await send(`${sim.url}${WHOAMI}`, {})).json.code).toBe(99991671)
    expect((await send(`${sim.url}${WHOAMI}`, { headers: { authorization: 'Basic abc' } })).json.code).toBe(99991671)
  })

  it('refuses with HTTP status 200 where told to', async () => {
    const { whoami } = await bench({ behaviour: { apiErrorStatus: 200 } })
    expect(await whoami('a-unknown')).toMatchObject({ status: 200, json: { code: 99991664 } })
  })

  it('does not exist outside /open-apis, and the token endpoints take POST alone', async () => {
    const { sim } = await bench()
    expect((await send(`${sim.url}/elsewhere`, {})).status).toBe(404)
    expect((await send(`${sim.url}/open-apis/auth/v3/unknown`, { method: 'POST' })).status).toBe(404)
    expect((await send(`${sim.url}/open-apis/auth/v3/app_access_token`, {})).status).toBe(405)
  })
})

describe('a revoked token', () => {
  it('is dead, and the next mint gives a new one', async () => {
    const { sim, mint } = await bench()
    const token = tokenOf(await mint())
    expect(sim.revoke('cli_one', { next: 'new' })).toBe(token)
    expect(sim.judge(token)).toBe('revoked')
    const next = tokenOf(await mint())
    expect(next).not.toBe(token)
    expect(sim.judge(next)).toBe('valid')
  })

  it('is dead, and mints give it back until it has less than 30 minutes left', async () => {
    const { sim, clock, mint, whoami } = await bench()
    const token = tokenOf(await mint())
    sim.revoke('cli_one', { next: 'same' })
    clock.advance(90 * MINUTE)
    expect(tokenOf(await mint())).toBe(token)
    expect((await whoami(token)).json.code).toBe(99991664)
    clock.advance(1)
    expect(sim.judge(tokenOf(await mint()))).toBe('valid')
  })

  it('can be turned from same to new, and not back', async () => {
    const { sim, mint } = await bench()
    const token = tokenOf(await mint())
    sim.revoke('cli_one', { next: 'same' })
    expect(sim.revoke('cli_one', { next: 'new' })).toBe(token)
    expect(sim.revoke('cli_one', { next: 'same' })).toBeUndefined()
    expect(tokenOf(await mint())).not.toBe(token)
  })

  it('needs a live one to begin with', async () => {
    const { sim, clock, mint } = await bench()
    expect(sim.revoke('cli_one', { next: 'new' })).toBeUndefined()
    const token = tokenOf(await mint())
    clock.advance(2 * HOUR)
    expect(sim.revoke('cli_one', { next: 'new' })).toBeUndefined()
    expect(sim.judge(token)).toBe('expired')
    expect(sim.judge('a-unknown')).toBe('unknown')
  })
})
