import { describe, expect, it } from 'vitest'
import { APP, APP_TOKEN, bench, credentials, TENANT_TOKEN, tokenOf } from './support/client.ts'

const OTHER = { appId: 'cli_two', appSecret: 'secret-two', verificationToken: 'verification-two' }

describe('counters', () => {
  it('count each app for itself and all in total', async () => {
    const { sim, mint, post } = await bench({ apps: [APP, OTHER] })
    const app_ticket = sim.issueTicket('cli_two')
    const token = tokenOf(await mint())
    await post(APP_TOKEN, { app_id: 'cli_two', app_secret: 'secret-two', app_ticket })
    await post(APP_TOKEN, { app_id: 'cli_two', app_secret: 'wrong', app_ticket })
    await post(APP_TOKEN, { ...credentials, app_id: 'cli_unknown', app_ticket })
    await post(TENANT_TOKEN, { app_access_token: token, tenant_key: 'tenant-1' })
    expect(sim.counters('cli_one')).toMatchObject({
      requests: { app_access_token: 1, tenant_access_token: 1 },
      newTokens: { app: 1, tenant: 1 },
      errors: {},
    })
    expect(sim.counters('cli_two')).toMatchObject({ requests: { app_access_token: 2 }, newTokens: { app: 1 }, errors: { 10014: 1 } })
    expect(sim.counters()).toMatchObject({ requests: { app_access_token: 4 }, newTokens: { app: 2 }, errors: { 10014: 1, 10003: 1 } })
  })

  it('know how many requests are in flight and were at most', async () => {
    const { sim, mint } = await bench()
    const fault = sim.fault('app_access_token', { kind: 'hang' }, { times: 3 })
    const third = sim.next('request', ({ number }) => number === 3)
    const replies = [mint(), mint(), mint()]
    await third
    expect(sim.counters('cli_one').inFlight.app_access_token).toBe(3)
    fault.release()
    await Promise.all(replies)
    await mint()
    expect(sim.counters('cli_one')).toMatchObject({ inFlight: { app_access_token: 0 }, maxInFlight: { app_access_token: 3 } })
  })

  it('are copies that later requests do not change', async () => {
    const { sim, mint } = await bench()
    const before = sim.counters()
    await mint()
    expect(before.requests.app_access_token).toBe(0)
  })

  it('count each tenant and each user for itself, and nothing for those never seen', async () => {
    const { sim, mintTenant, authorize, refresh, whoami } = await bench()
    const tenantToken = tokenOf(await mintTenant('tenant-1'))
    await mintTenant('tenant-2')
    await whoami(tenantToken)
    const { access_token, refresh_token } = (await authorize(sim.issueCode('cli_one', 'user-1'))).json
    await refresh(refresh_token)
    await refresh(refresh_token)
    await whoami(String(access_token))
    expect(sim.counters('cli_one', { tenantKey: 'tenant-1' })).toMatchObject({
      requests: { app_access_token: 0, tenant_access_token: 1, api: 1 },
      inFlight: { tenant_access_token: 0 },
      maxInFlight: { tenant_access_token: 1 },
      newTokens: { app: 0, tenant: 1, user: 0 },
    })
    expect(sim.counters('cli_one', { userId: 'user-1' })).toMatchObject({
      requests: { oauth_token: 3, api: 1 },
      newTokens: { user: 2 },
      errors: { 20073: 1, 99991668: 1 },
    })
    const { requests } = sim.counters('cli_one', { userId: 'user-2' })
    expect(new Set(Object.values(requests))).toEqual(new Set([0]))
    expect(sim.subjects('cli_one')).toEqual({ tenantKeys: ['tenant-1', 'tenant-2'], userIds: ['user-1'] })
  })

  it('refuse an app that is not simulated', async () => {
    const { sim } = await bench()
    expect(() => sim.counters('cli_two')).toThrow("app 'cli_two' is not simulated; known: cli_one")
  })
})

describe('the log of requests', () => {
  it('knows the tenant and the user of each', async () => {
    const { sim, mintTenant, authorize, refresh, whoami } = await bench()
    const tenantToken = tokenOf(await mintTenant('tenant-1'))
    await whoami(tenantToken)
    await refresh((await authorize()).json.refresh_token)
    await refresh('ur-unknown')
    expect(sim.requests.map(({ appId, tenantKey, userId }) => [appId, tenantKey, userId])).toEqual([
      ['cli_one', undefined, undefined],
      ['cli_one', 'tenant-1', undefined],
      ['cli_one', 'tenant-1', undefined],
      ['cli_one', undefined, 'user-1'],
      ['cli_one', undefined, 'user-1'],
      ['cli_one', undefined, undefined],
    ])
  })

  it('knows fields, time, effect and outcome of each', async () => {
    const { sim, clock, mint } = await bench()
    const startMs = clock.wall()
    await mint()
    clock.advance(1000)
    await mint('wrong')
    expect(sim.requests).toMatchObject([
      {
        number: 1,
        method: 'POST',
        path: APP_TOKEN,
        endpoint: 'app_access_token',
        appId: 'cli_one',
        receivedAtMs: startMs,
        effect: 'new-token',
        end: 'replied',
        status: 200,
        code: 0,
      },
      { number: 2, fields: { ...credentials, app_ticket: 'wrong' }, receivedAtMs: startMs + 1000, endedAtMs: startMs + 1000, code: 10012 },
    ])
  })
})

describe('waiting', () => {
  it('hands out the next event that fits', async () => {
    const { sim, mint } = await bench()
    const refused = sim.next('reply', ({ code }) => code === 10012)
    await mint()
    await mint('wrong')
    expect((await refused).number).toBe(2)
  })

  it('calls listeners until they are taken off', async () => {
    const { sim, mint } = await bench()
    const seen: string[] = []
    const off = [sim.on('request', () => seen.push('request')), sim.on('reply', () => seen.push('reply'))]
    await mint()
    for (const takeOff of off) takeOff()
    await mint()
    expect(seen).toEqual(['request', 'reply'])
  })
})
