import { describe, expect, it } from 'vitest'
import { APP, type Bench, bench, CUSTOM_APP, credentials, OIDC_TOKEN, TENANT_TOKEN_INTERNAL, tokenOf } from './support/client.ts'

const redeem = ({ post }: Bench, code: string, token?: string) =>
  post(
    OIDC_TOKEN,
    { grant_type: 'authorization_code', code },
    { headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) } },
  )

describe('POST /open-apis/authen/v1/oidc/access_token', () => {
  it('takes a live app token, and tells the tokens in data', async () => {
    const world = await bench()
    const code = world.sim.issueCode('cli_one', 'user-1')
    const reply = await redeem(world, code, tokenOf(await world.mint()))
    expect(reply.json).toEqual({
      code: 0,
      msg: 'success',
      data: {
        access_token: world.sim.login('cli_one', 'user-1')?.accessToken,
        expires_in: 7200,
        refresh_token: world.sim.login('cli_one', 'user-1')?.refreshToken,
        refresh_expires_in: 604_800,
        scope: 'auth:user.id:read offline_access',
        token_type: 'Bearer',
      },
    })
  })

  it('refuses every token but that, and uses no code up', async () => {
    const world = await bench()
    const code = world.sim.issueCode('cli_one', 'user-1')
    const revoked = tokenOf(await world.mint())
    const ofTenant = tokenOf(await world.mintTenant())
    world.sim.revoke('cli_one', { next: 'new' })
    const refused = { status: 400, json: { code: 99991664 } }
    for (const token of [revoked, ofTenant, 'a-unknown', undefined]) expect(await redeem(world, code, token)).toMatchObject(refused)
    expect((await redeem(world, code, tokenOf(await world.mint()))).json.code).toBe(0)
  })

  it('takes the tenant token of a custom app while it lives', async () => {
    const world = await bench({ apps: [CUSTOM_APP] })
    const code = world.sim.issueCode('cli_one', 'user-1')
    const tenantToken = async () => tokenOf(await world.post(TENANT_TOKEN_INTERNAL, credentials))
    const dead = await tenantToken()
    world.sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-own' })
    expect((await redeem(world, code, dead)).json.code).toBe(99991664)
    expect((await redeem(world, code, await tenantToken())).json.code).toBe(0)
  })

  it('refuses the code of another app, and an unknown one', async () => {
    const world = await bench({ apps: [APP, { ...APP, appId: 'cli_two' }] })
    const token = tokenOf(await world.mint())
    expect((await redeem(world, world.sim.issueCode('cli_two', 'user-1'), token)).json).toEqual({ code: 20024, msg: expect.any(String) })
    expect((await redeem(world, 'any', token)).json.code).toBe(20003)
  })
})
