import * as lark from '@larksuiteoapi/node-sdk'
import { isTokenError } from '@tokenwell/core'
import type { FeishuTokens } from '@tokenwell/core/feishu'
import { larkCache } from '@tokenwell/lark-sdk'
import { describe, expect, test } from 'vitest'
import { errorOf, randomSecret } from '../../../tools/leak-search/index.ts'
import { SDKS } from './support/sdks.ts'
import { createWorld, giveTicket, settle, type World } from './support/world.ts'

describe.each(SDKS)('an error of Tokenwell comes out of a call of SDK %s as it is', (_, sdk) => {
  test.each([
    ['request()', (client: lark.Client) => client.request({ method: 'GET', url: '/open-apis/simulator/whoami' })],
    ['the method of an endpoint', (client: lark.Client) => client.contact.user.get({ path: { user_id: 'anybody' } })],
  ])('from %s', async (_, call) => {
    const world = await createWorld({ app: { type: 'custom' } })
    const { client } = world.client(larkCache(world.node({ appSecret: randomSecret('wrong secret') })), { sdk })
    const error = await errorOf(call(client))
    expect(isTokenError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'CONFIGURATION_REJECTED', retryable: false, upstream: { code: 10014 } })
    expect(world.sentBySdk).toEqual([])
    expect(world.sim.counters().requests.api).toBe(0)
  })
})

test('after close() the call fails with CLOSED', async () => {
  const world = await createWorld()
  const tokens = world.node()
  const { whoami } = world.client(larkCache(tokens))
  await tokens.close()
  expect(await errorOf(whoami('tenant-1'))).toMatchObject({ code: 'CLOSED' })
})

test('a tenant that has switched the app off fails alone', async () => {
  const world = await createWorld()
  const tokens = world.node()
  await giveTicket(world, tokens)
  const { whoami } = world.client(larkCache(tokens))
  world.sim.disableTenant(world.app.appId, 'tenant-1')
  expect(await errorOf(whoami('tenant-1'))).toMatchObject({ upstream: { code: 99991662 } })
  expect(await whoami('tenant-2')).toMatchObject({ tenant_key: 'tenant-2' })
})

/** What a call fails with, if the client of the app, or of another kind or id, is given this cache. */
async function misfit(world: World, client: { readonly appId?: string; readonly appType?: lark.AppType }): Promise<unknown> {
  const { whoami } = world.client(larkCache(world.node()), client)
  // Made with a cache that does not fit it, a client still does not end the process.
  await settle()
  const error = await errorOf(whoami('tenant-1'))
  expect(world.sentBySdk).toEqual([])
  expect(error).toBeInstanceOf(TypeError)
  return error
}

describe('what does not fit together is refused by the first call, and the SDK mints nothing', () => {
  test('a store app whose client has the default kind', async () => {
    expect(await misfit(await createWorld(), { appType: lark.AppType.SelfBuild })).toMatchObject({
      message:
        "larkCache: the tokens of cli_world have appType 'store', its Client has AppType.SelfBuild, the default. Make both the same: " +
        "AppType.ISV for the Client, or 'custom' for createFeishuTokens",
    })
  })

  test('a custom app whose client is one of a store app', async () => {
    expect(await misfit(await createWorld({ app: { type: 'custom' } }), { appType: lark.AppType.ISV })).toMatchObject({
      message:
        "larkCache: the tokens of cli_world have appType 'custom', its Client has AppType.ISV. Make both the same: " +
        "AppType.SelfBuild for the Client, or 'store' for createFeishuTokens",
    })
  })

  test('another app', async () => {
    expect(await misfit(await createWorld(), { appId: 'cli_other' })).toMatchObject({
      message:
        'larkCache: expected a Client of cli_world, whose tokens this cache gives out, got one of cli_other. Make a cache for each app',
    })
  })

  test('a secret in the place of an app id, which is not shown', async () => {
    expect(await misfit(await createWorld(), { appId: randomSecret('misplaced secret') })).toMatchObject({
      message: expect.stringContaining('got one of an id of 32 characters'),
    })
  })

  test('an SDK that does not say whose token it asks for', async () => {
    const world = await createWorld()
    expect(await errorOf(larkCache(world.node()).get('larkMarketAccessTokentenant-1'))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('from version 1.12 on: update it'),
    })
  })

  test.each([
    ['read', (cache: lark.Cache, namespace: string) => cache.get(Symbol('app-access-token'), { namespace })],
    ['write', (cache: lark.Cache, namespace: string) => cache.set('larkStoreToken', 'token', undefined, { namespace })],
  ])('a key of the app that no known SDK has, at a %s', async (_, access) => {
    const world = await createWorld()
    expect(await errorOf(access(larkCache(world.node()), world.app.appId))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining(
        'expected a key that @larksuiteoapi/node-sdk has under the id of an app, got another under cli_world',
      ),
    })
  })
})

describe('wrong arguments are refused when the cache is made', () => {
  test.each([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', 'cli_world', 'a value of type string'],
    ['the tokens of an older core', { tenantAccessToken() {}, acceptAppTicket() {} }, 'a value of type object'],
  ])('%s in place of tokens', (_, tokens, got) => {
    expect(() => larkCache(tokens as unknown as FeishuTokens)).toThrow(
      new TypeError(`tokens: expected what createFeishuTokens of @tokenwell/core/feishu returns, got ${got}`),
    )
  })

  test('options that are none', async () => {
    const tokens = (await createWorld()).node()
    const cache = (options: unknown) => larkCache(tokens, options as { others?: never })
    expect(() => cache(null)).toThrow(new TypeError('larkCache: expected an object of options, got null'))
    expect(() => cache({ other: new Map() })).toThrow(new TypeError('larkCache: there is no option "other"; it takes others'))
    expect(() => cache({ others: 'redis' })).toThrow(
      new TypeError('others: expected a cache of the SDK with get() and set(), got a value of type string'),
    )
  })
})
