import * as lark from '@larksuiteoapi/node-sdk'
import { larkCache } from '@tokenwell/lark-sdk'
import { describe, expect, test } from 'vitest'
import { SDKS } from './support/sdks.ts'
import { createWorld, type Official, settle, type World, warnings } from './support/world.ts'

const CUSTOM = { type: 'custom', tenantKey: 'tenant-own' } as const
const OWNER = { app_id: 'cli_world', token_type: 'tenant', tenant_key: 'tenant-own' }

const rush = ({ whoami }: Official) => Promise.all(Array.from({ length: 20 }, () => whoami()))

/** Token requests in all, of either kind that a custom app has, and those of the SDK. */
function requests({ sim, sentBySdk }: World) {
  const { app_access_token_internal: both, tenant_access_token_internal: tenant } = sim.counters().requests
  return { both, tenant, fromSdk: sentBySdk.length }
}

test('with its own cache the SDK asks for a token for every caller', async () => {
  const world = await createWorld({ app: CUSTOM })
  await rush(world.client(new lark.DefaultCache()))
  expect(requests(world)).toEqual({ both: 0, tenant: 20, fromSdk: 20 })
})

describe.each(SDKS)('SDK %s with larkCache', (_, sdk) => {
  test('asks for nothing: one token is minted for all callers of two processes', async () => {
    const world = await createWorld({ app: CUSTOM })
    const officials = [world.node(), world.node()].map((tokens) => world.client(larkCache(tokens), { sdk }))
    const answers = await Promise.all(officials.map(rush))
    expect(answers.flat()).toEqual(Array.from({ length: 40 }, () => OWNER))
    expect(requests(world)).toEqual({ both: 1, tenant: 0, fromSdk: 0 })
  })

  test('has a token that the platform refuses replaced by tenant().use()', async () => {
    const world = await createWorld({ app: CUSTOM })
    const tokens = world.node()
    const official = world.client(larkCache(tokens), { sdk })
    await official.whoami()
    world.sim.revoke(world.app.appId, { next: 'new', tenantKey: 'tenant-own' })
    expect(await tokens.tenant().use(() => official.whoami())).toEqual(OWNER)
    expect(requests(world)).toEqual({ both: 2, tenant: 0, fromSdk: 0 })
  })
})

test('a token that the SDK or anybody sets is not taken', async () => {
  const world = await createWorld({ app: CUSTOM })
  const tokens = world.node()
  const cache = larkCache(tokens)
  const scope = { namespace: world.app.appId }
  expect(await cache.set(lark.CTenantAccessToken, 'forged', Date.now() + 3_600_000, scope)).toBe(false)
  expect(await cache.get(lark.CTenantAccessToken, scope)).toBe(await tokens.tenantAccessToken())
})

test('a ticket is let be without a word', async () => {
  const world = await createWorld({ app: CUSTOM })
  const seen = warnings()
  expect(await larkCache(world.node()).set(lark.CAppTicket, 'ticket', undefined, { namespace: world.app.appId })).toBe(false)
  await settle()
  expect(seen).toEqual([])
})
