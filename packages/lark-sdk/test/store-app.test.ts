import * as lark from '@larksuiteoapi/node-sdk'
import { larkCache } from '@tokenwell/lark-sdk'
import { describe, expect, test } from 'vitest'
import { SDKS } from './support/sdks.ts'
import { createWorld, giveTicket, type Official, receiveWithDispatcher, settle, type World } from './support/world.ts'

const TENANTS = ['tenant-1', 'tenant-2', 'tenant-3']
const CALLERS = 20

/** Twenty callers at once for each of three tenants. */
async function rush({ whoami }: Official): Promise<unknown[]> {
  return Promise.all(TENANTS.flatMap((tenantKey) => Array.from({ length: CALLERS }, () => whoami(tenantKey))))
}

const owner = (tenantKey: string) => ({ app_id: 'cli_world', token_type: 'tenant', tenant_key: tenantKey })

/** How many token requests the platform has had, and how many of them came from the SDK. */
function requests({ sim, sentBySdk }: World) {
  const { app_access_token: app, tenant_access_token: tenant, app_ticket_resend: resend } = sim.counters().requests
  return { app, tenant, resend, fromSdk: sentBySdk.length }
}

test('with its own cache the SDK asks for both tokens for every caller, and for a ticket', async () => {
  const world = await createWorld()
  const cache = new lark.DefaultCache()
  await receiveWithDispatcher(world, cache)
  const delivered = world.sim.next('delivery')
  const official = world.client(cache)
  await delivered
  await rush(official)
  expect(requests(world)).toEqual({ app: 60, tenant: 60, resend: 1, fromSdk: 121 })
})

describe.each(SDKS)('SDK %s with larkCache', (_, sdk) => {
  test('asks for nothing: one app token and one token a tenant are minted for all callers', async () => {
    const world = await createWorld()
    const tokens = world.node()
    await giveTicket(world, tokens)
    const answers = await rush(world.client(larkCache(tokens), { sdk }))
    expect(answers).toEqual(TENANTS.flatMap((tenantKey) => Array.from({ length: CALLERS }, () => owner(tenantKey))))
    expect(requests(world)).toEqual({ app: 1, tenant: 3, resend: 0, fromSdk: 0 })
  })

  test('shares with other processes: the ticket came to one, the tokens are minted once', async () => {
    const world = await createWorld()
    const [here, there] = [world.node(), world.node()]
    await giveTicket(world, here)
    await Promise.all([here, there].map((tokens) => rush(world.client(larkCache(tokens), { sdk }))))
    expect(requests(world)).toEqual({ app: 1, tenant: 3, resend: 0, fromSdk: 0 })
  })

  test('waits for a ticket when there is none, having had Tokenwell ask for it once', async () => {
    const world = await createWorld()
    const tokens = world.node()
    const cache = larkCache(tokens)
    await receiveWithDispatcher(world, cache, sdk)
    const answers = await rush(world.client(cache, { sdk }))
    expect(answers).toHaveLength(60)
    expect(requests(world)).toEqual({ app: 1, tenant: 3, resend: 1, fromSdk: 0 })
  })

  test('has a token that the platform refuses replaced by tenant().use(), for every process', async () => {
    const world = await createWorld()
    const [here, there] = [world.node(), world.node()]
    await giveTicket(world, here)
    const official = world.client(larkCache(here), { sdk })
    const other = world.client(larkCache(there), { sdk })
    await Promise.all([official.whoami('tenant-1'), other.whoami('tenant-1')])
    world.sim.revoke(world.app.appId, { next: 'new', tenantKey: 'tenant-1' })

    await expect(official.whoami('tenant-1')).rejects.toMatchObject({ response: { data: { code: 99991663 } } })
    const calls = Array.from({ length: CALLERS }, () => here.tenant('tenant-1').use(() => official.whoami('tenant-1')))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: CALLERS }, () => owner('tenant-1')))
    expect(await there.tenant('tenant-1').use(() => other.whoami('tenant-1'))).toEqual(owner('tenant-1'))
    expect(requests(world)).toMatchObject({ tenant: 2, fromSdk: 0 })
  })
})

// Older versions take the port of the simulator for a part of the path that they are to fill in.
test('the methods that the SDK has for endpoints are called in the same way', async () => {
  const world = await createWorld()
  const tokens = world.node()
  await giveTicket(world, tokens)
  const { client } = world.client(larkCache(tokens))
  const reply = await client.contact.user.get({ path: { user_id: 'anybody' } }, lark.withTenantKey('tenant-2'))
  expect(reply).toMatchObject({ code: 0, data: owner('tenant-2') })
  expect(requests(world)).toEqual({ app: 1, tenant: 1, resend: 0, fromSdk: 0 })
})

test('a client that is made asks for no ticket, whether or not there is one', async () => {
  const world = await createWorld()
  const tokens = world.node()
  world.client(larkCache(tokens))
  await giveTicket(world, tokens)
  world.client(larkCache(tokens))
  await settle()
  expect(requests(world)).toEqual({ app: 0, tenant: 0, resend: 0, fromSdk: 0 })
})

test('the cache takes a ticket, and nobody gets it from there', async () => {
  const world = await createWorld()
  const cache = larkCache(world.node())
  const scope = { namespace: world.app.appId }
  expect(await cache.set(lark.CAppTicket, world.sim.issueTicket(world.app.appId), undefined, scope)).toBe(true)
  expect(await cache.get(lark.CAppTicket, scope)).toBe('kept by Tokenwell')
  expect(await world.client(cache).whoami('tenant-1')).toEqual(owner('tenant-1'))
})

test('a token that the SDK or anybody sets is not taken', async () => {
  const world = await createWorld()
  const tokens = world.node()
  await giveTicket(world, tokens)
  const cache = larkCache(tokens)
  const scope = { namespace: world.app.appId }
  expect(await cache.set('larkMarketAccessTokentenant-1', 'forged', Date.now() + 3_600_000, scope)).toBe(false)
  expect(await cache.get('larkMarketAccessTokentenant-1', scope)).toBe(await tokens.tenantAccessToken('tenant-1'))
  expect(await world.client(cache).whoami('tenant-1')).toEqual(owner('tenant-1'))
})
