import { signJsapi } from '@tokenwell/core/feishu'
import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { createWorld, eventually, quiet } from '../support/world.ts'

describe('a jsapi ticket', () => {
  test('is fetched once for the fleet, with the tenant’s token', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()]
    const tickets = await Promise.all(nodes.flatMap(({ tokens }) => [tokens.jsapiTicket('t').get(), tokens.jsapiTicket('t').get()]))
    expect(new Set(tickets.map(({ value }) => value)).size).toBe(1)
    expect(world.simulator.judge(tickets[0]?.value ?? '')).toBe('valid')
    const { app_access_token: app, tenant_access_token: tenant, jsapi_ticket: jsapi } = world.simulator.counters().requests
    expect({ app, tenant, jsapi }).toEqual({ app: 1, tenant: 1, jsapi: 1 })
  })

  test('of each tenant is its own', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const values = await Promise.all(['one', 'other'].map(async (key) => (await tokens.jsapiTicket(key).get()).value))
    expect(new Set(values).size).toBe(2)
    expect(() => tokens.jsapiTicket()).toThrow('tenantKey')
  })

  test('of a custom app is fetched with the token of its one tenant', async () => {
    const world = await createWorld({ appType: 'custom' })
    const { value } = await world.node().tokens.jsapiTicket().get()
    expect(world.simulator.judge(value)).toBe('valid')
  })

  test('whose tenant token turns out to be dead has that replaced for the fleet, and comes', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const dead = await tokens.tenantAccessToken('t')
    world.simulator.revoke(world.appId, { next: 'new', tenantKey: 't' })
    const { value } = await tokens.jsapiTicket('t').get()
    expect(world.simulator.judge(value)).toBe('valid')
    expect(await tokens.tenantAccessToken('t')).not.toBe(dead)
    const { app_access_token: app, tenant_access_token: tenant, jsapi_ticket: jsapi } = world.simulator.counters().requests
    expect({ app, tenant, jsapi }).toEqual({ app: 1, tenant: 2, jsapi: 2 })
  })

  test('comes although the whole chain above it is dead', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.tenantAccessToken('t')
    world.simulator.revoke(world.appId, { next: 'new', tenantKey: 't' })
    world.simulator.revoke(world.appId, { next: 'new' })
    expect(world.simulator.judge((await tokens.jsapiTicket('t').get()).value)).toBe('valid')
    const { app_access_token: app, tenant_access_token: tenant, jsapi_ticket: jsapi } = world.simulator.counters().requests
    expect({ app, tenant, jsapi }).toEqual({ app: 2, tenant: 3, jsapi: 2 })
  })

  test('is asked for again no sooner than the platform says, when its quota is used up', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.tenantAccessToken('t')
    world.simulator.fault('jsapi_ticket', { kind: 'rate-limit', resetSeconds: 30 })
    const error = await errorOf(tokens.jsapiTicket('t').get())
    expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 30_000 })
    const later = tokens.jsapiTicket('t').get({ timeoutMs: 60_000 })
    await quiet()
    expect(world.simulator.counters().requests.jsapi_ticket).toBe(1)
    await world.clock.advance(34_000)
    await eventually(() => world.simulator.counters().requests.jsapi_ticket === 2)
    expect(world.simulator.judge((await later).value)).toBe('valid')
  })

  test.each([
    [{ code: 0 }, 'data.ticket'],
    [{ code: 0, data: { ticket: '', expire_in: 7200 } }, 'data.ticket'],
    [{ code: 0, data: { ticket: 'x'.repeat(20) } }, 'data.expire_in'],
  ])('is not taken from %j', async (reply, missing) => {
    const world = await createWorld()
    world.simulator.fault('jsapi_ticket', { kind: 'status', status: 200, body: JSON.stringify(reply) })
    const { tokens } = world.node()
    await tokens.tenantAccessToken('t')
    const error = await errorOf(tokens.jsapiTicket('t').get({ timeoutMs: 100 }))
    expect(error).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY' })
    expect(String(error)).toContain(missing)
  })
})

describe('the signature of a page', () => {
  const input = { ticket: '617bf955832a4d4d80d9d8d85917a427', nonceStr: 'Y7a8KkqX041bsSwT', timestamp: 1_510_045_655_000 }

  // The documentation's inputs; the digests are those of `sha1sum` over the text that it prescribes.
  test.each([
    ['https://example.cn/test/1234/content.html', '40a68999ecf7e05907edba43b31a50fd1830c777'],
    ['https://m.haiwainet.cn/ttc/3541093/2018/0509/content_31312407_1.html', '2ee6a79c182eeec8d76e7474136edb6e617b8d58'],
  ])('of %s is as documented', (url, signature) => {
    expect(signJsapi({ ...input, url })).toBe(signature)
    expect(signJsapi({ ...input, url: `${url}#/a?b=c#d` })).toBe(signature)
    expect(signJsapi({ ...input, url: `${url}?a=b` })).not.toBe(signature)
  })

  test.each([
    [{ timestamp: '1510045655000' as never }, 'timestamp'],
    [{ timestamp: 1.5 }, 'timestamp'],
    [{ ticket: '' }, 'ticket'],
    [{ nonceStr: undefined as never }, 'nonceStr'],
    [{ url: 7 as never }, 'url'],
    [{ noncestr: 'x' } as never, 'noncestr'],
  ])('is refused for %j', (wrong, name) => {
    expect(() => signJsapi({ ...input, url: 'https://example.cn/', ...wrong })).toThrow(name)
  })
})
