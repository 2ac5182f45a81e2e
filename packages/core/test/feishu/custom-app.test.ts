import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { callApi, createWorld, HOUR, MINUTE, pass, quiet, settlesInOneTurn, withChance } from '../support/world.ts'

const BOTH = 'app_access_token_internal'

async function custom() {
  const world = await createWorld({ appType: 'custom' })
  return { world, requests: () => world.simulator.counters().requests }
}

describe('a custom app', () => {
  test('gets both of its tokens with one request for the whole fleet, and needs no ticket', async () => {
    const { world, requests } = await custom()
    const nodes = [world.node(), world.node()]
    const tokens = await Promise.all(nodes.flatMap((node) => [node.tokens.appAccessToken(), node.tokens.tenantAccessToken()]))
    expect(tokens[0]).toBe(tokens[2])
    expect(tokens[1]).toBe(tokens[3])
    expect(tokens[0]).not.toBe(tokens[1])
    expect(await callApi(world, tokens[0] ?? '')).toMatchObject({ code: 0, data: { token_type: 'app' } })
    expect(await callApi(world, tokens[1] ?? '')).toMatchObject({ code: 0, data: { token_type: 'tenant' } })
    expect(requests()[BOTH]).toBe(1)
    expect(Object.values(requests()).reduce((sum, each) => sum + each, 0)).toBe(3)
  })

  test('serves a fresh token as one object and one promise', async () => {
    const { world } = await custom()
    const { tokens } = world.node()
    const tenant = tokens.tenant()
    const first = await tenant.get()
    expect(tenant.get()).toBe(tenant.get())
    expect(await tenant.get()).toBe(first)
    expect(tenant.peek()).toBe(first)
    expect(tokens.tenant()).toBe(tenant)
    expect(Object.isFrozen(first)).toBe(true)
    expect(first.version).toBe((await tokens.app.get()).version)
  })

  test('renews both in the background', async () => {
    const { world, requests } = await custom()
    const { tokens } = world.node(withChance(0))
    const old = await tokens.tenantAccessToken()
    await pass(world.clock, HOUR + 35 * MINUTE)
    const during = tokens.tenantAccessToken()
    expect(await settlesInOneTurn(during)).toBe(true)
    await quiet()
    expect(await tokens.tenantAccessToken()).not.toBe(old)
    expect(requests()[BOTH]).toBe(2)
  })

  test('replaces both when one of them is refused', async () => {
    const { world, requests } = await custom()
    const [one, other] = [world.node(), world.node()]
    const dead = await one.tokens.tenantAccessToken()
    await other.tokens.app.get()
    const tenantKey = world.simulator.subjects(world.appId).tenantKeys[0] ?? 'own'
    world.simulator.revoke(world.appId, { next: 'new', tenantKey })
    expect(await one.tokens.tenant().use(({ value }) => callApi(world, value))).toMatchObject({ code: 0 })
    expect(await one.tokens.tenantAccessToken()).not.toBe(dead)
    await other.tokens.app.get()
    await quiet()
    expect(await other.tokens.tenantAccessToken()).toBe(await one.tokens.tenantAccessToken())
    expect(requests()[BOTH]).toBe(2)
  })

  test('hands events over, and lets a ticket be', async () => {
    const { world } = await custom()
    const { tokens } = world.node()
    const { headers, body } = world.simulator.buildEvent(world.appId, { type: 'app_open', app_id: world.appId })
    expect(await tokens.receiveEvent({ headers, body })).toMatchObject({ status: 200, handled: false })
    const ticket = world.simulator.buildEvent(world.appId, { type: 'app_ticket', app_id: world.appId, app_ticket: 'a-ticket-of-nobody' })
    expect(await tokens.receiveEvent(ticket)).toMatchObject({ status: 200, handled: true })
    await expect(tokens.acceptAppTicket({ ticket: 'a', eventTime: new Date() })).rejects.toThrow('custom app')
  })

  test('has one tenant, which is not named', async () => {
    const { world } = await custom()
    const { tokens } = world.node()
    expect(() => tokens.tenant('t')).toThrow('tenantKey')
    expect(() => tokens.jsapiTicket('t')).toThrow('tenantKey')
    await expect(tokens.warm(['t'])).rejects.toThrow(TypeError)
  })

  test('that says to be a store app, or the other way round, is told so', async () => {
    const { world } = await custom()
    const { tokens } = world.node({ tokens: { appType: 'store' } })
    await tokens.acceptAppTicket({ ticket: 'a-ticket-of-nobody', eventTime: new Date(world.clock.wall()) })
    expect(await errorOf(tokens.app.get())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
    const store = await createWorld()
    expect(await errorOf(store.node({ tokens: { appType: 'custom' } }).tokens.app.get())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  })

  test.each([
    [{ code: 0, app_access_token: 'a', expire: 7200 }, 'tenant_access_token'],
    [{ code: 0, tenant_access_token: 't', expire: 7200 }, 'app_access_token'],
    [{ code: 0, app_access_token: 'a', tenant_access_token: 't' }, 'expire'],
  ])('does not take half a reply: %j', async (reply, missing) => {
    const { world } = await custom()
    world.simulator.fault(BOTH, { kind: 'status', status: 200, body: JSON.stringify(reply) })
    const error = await errorOf(world.node().tokens.app.get({ timeoutMs: 100 }))
    expect(error).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY' })
    expect(String(error)).toContain(missing)
  })
})

test('an app is of one kind or the other', async () => {
  const world = await createWorld()
  expect(() => world.node({ tokens: { appType: 'isv' as never } })).toThrow("expected 'store' or 'custom'")
})
