import { describe, expect, it } from 'vitest'
import { APP, APP_TOKEN, bench, MINUTE, tokenOf } from './support/client.ts'

const RESET = 'x-ogw-ratelimit-reset'

describe('a quota', () => {
  it('lets so many requests through in a window, then says how long to wait', async () => {
    const { sim, clock, mint } = await bench({ quotas: { app_access_token: { limit: 2, windowMs: MINUTE } } })
    await mint()
    clock.advance(500)
    await mint()
    const refused = await mint()
    expect(refused.status).toBe(429)
    expect(refused.headers.get(RESET)).toBe('60')
    expect(refused.json).toEqual({ code: 99991400, msg: expect.any(String) })
    clock.advance(MINUTE - 501)
    expect((await mint()).headers.get(RESET)).toBe('1')
    clock.advance(1)
    const again = await mint()
    expect([again.json.code, again.headers.get(RESET)]).toEqual([0, null])
    expect(sim.counters('cli_one')).toMatchObject({
      requests: { app_access_token: 5 },
      newTokens: { app: 1 },
      sameTokens: { app: 2 },
      errors: { 99991400: 2 },
    })
  })

  it('refuses with HTTP status 400 where told to', async () => {
    const { mint } = await bench({ quotas: { app_access_token: { limit: 0, windowMs: 1 } }, behaviour: { rateLimitStatus: 400 } })
    expect(await mint()).toMatchObject({ status: 400, json: { code: 99991400 } })
  })

  it('is that of an app, or of each tenant and user', async () => {
    const { sim, authorize, mintTenant } = await bench({
      quotas: {
        tenant_access_token: { limit: 1, windowMs: MINUTE },
        oauth_token: { limit: 1, windowMs: MINUTE, per: 'subject' },
      },
    })
    const codes = [await mintTenant('tenant-1'), await mintTenant('tenant-2')].map(({ json }) => json.code)
    expect(codes).toEqual([0, 99991400])
    const logins = [await authorize(), await authorize(sim.issueCode('cli_one', 'user-2')), await authorize()]
    expect(logins.map(({ json }) => json.code)).toEqual([0, 0, 99991400])
  })

  it('is not shared by two apps', async () => {
    const other = { ...APP, appId: 'cli_two' }
    const { sim, mint, post } = await bench({ apps: [APP, other], quotas: { app_access_token: { limit: 1, windowMs: MINUTE } } })
    const app_ticket = sim.issueTicket('cli_two')
    expect((await mint()).json.code).toBe(0)
    const ofOther = () => post(APP_TOKEN, { app_id: 'cli_two', app_secret: APP.appSecret, app_ticket })
    expect([(await ofOther()).json.code, (await ofOther()).json.code]).toEqual([0, 99991400])
  })

  it('keeps a request that is refused from being carried out: no code and no refresh token is used up', async () => {
    const { sim, clock, authorize, refresh } = await bench({ quotas: { oauth_token: { limit: 1, windowMs: MINUTE } } })
    const token = (await authorize()).json.refresh_token
    const code = sim.issueCode('cli_one', 'user-2')
    expect([(await refresh(token)).json.code, (await authorize(code)).json.code]).toEqual([99991400, 99991400])
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: true, rotations: 0 })
    clock.advance(MINUTE)
    expect((await refresh(token)).json.code).toBe(0)
    clock.advance(MINUTE)
    expect((await authorize(code)).json.code).toBe(0)
  })

  it('is small for tickets of the JS SDK by default, for each tenant, and without end for everything else', async () => {
    const { mintTenant, jsapi } = await bench()
    const [one, two] = [tokenOf(await mintTenant('tenant-1')), tokenOf(await mintTenant('tenant-2'))]
    const codes: unknown[] = []
    for (let count = 0; count < 11; count += 1) codes.push((await jsapi(one)).json.code)
    expect(codes).toEqual([...Array.from({ length: 10 }, () => 0), 99991400])
    expect((await jsapi(two)).json.code).toBe(0)
    for (let count = 0; count < 20; count += 1) expect((await mintTenant()).json.code).toBe(0)
  })

  it('can be switched off', async () => {
    const { mintTenant, jsapi } = await bench({ quotas: { jsapi_ticket: { limit: Number.POSITIVE_INFINITY, windowMs: 1 } } })
    const token = tokenOf(await mintTenant())
    for (let count = 0; count < 20; count += 1) expect((await jsapi(token)).json.code).toBe(0)
  })

  it('is checked when the simulator starts', async () => {
    const start = (quotas: object) => bench({ apps: [APP], quotas })
    await expect(start({ somewhere: { limit: 1, windowMs: 1 } })).rejects.toThrow(/^quotas\.somewhere: expected one of app_access_token/)
    await expect(start({ api: { limit: -1, windowMs: 1 } })).rejects.toThrow(/^quotas\.api\.limit/)
    await expect(start({ api: { limit: 1, windowMs: 0 } })).rejects.toThrow(/^quotas\.api\.windowMs/)
    await expect(start({ api: { limit: 1, windowMs: 1, per: 'tenant' } })).rejects.toThrow(/^quotas\.api\.per/)
  })
})
