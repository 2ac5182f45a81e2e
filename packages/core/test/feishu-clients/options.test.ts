import { inspect } from 'node:util'
import { createTokenManager } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens, feishuAuth, feishuFetch, type OutgoingRequest } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'
import { Agent, type Dispatcher } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import { createWorld, withChance } from '../support/world.ts'
import { calls, createReadyWorld, everyClient, jsonOf, revoke, SCOPES, TENANT } from './support.ts'

const [, client] = everyClient[0] ?? []
if (client === undefined) throw new Error('no client')

const ofApp = (appId: string, domain?: string) =>
  createFeishuTokens({ appId, appSecret: 'not a secret', store: memoryStore(), ...(domain === undefined ? {} : { domain }) })

describe('whose token goes along', () => {
  test('that of the tenant which a function names, for each request', async () => {
    const { tokens } = await createReadyWorld()
    const asked: OutgoingRequest[] = []
    const send = client.open(tokens, {
      tenantKey: (request) => {
        asked.push(request)
        return request.url.searchParams.get('for') ?? undefined
      },
    })
    const url = tokens.baseUrl + SCOPES
    expect(await jsonOf(await send(`${url}?for=one`))).toMatchObject({ data: { tenant_key: 'one' } })
    expect(await jsonOf(await send(`${url}?for=two`, { method: 'POST' }))).toMatchObject({ data: { tenant_key: 'two' } })
    // No token at all.
    expect(await jsonOf(await send(url))).toMatchObject({ code: 99991671 })
    expect(asked.map(({ method, url: { pathname } }) => [method, pathname])).toEqual([
      ['GET', SCOPES],
      ['POST', SCOPES],
      ['GET', SCOPES],
    ])
  })

  test('that of the app, or of a user, also one that is refused', async () => {
    const { world, tokens } = await createReadyWorld()
    await tokens.user('ann').authorize({ code: secret(world.simulator.issueCode(world.appId, 'ann'), 'code') })
    const asApp = client.open(tokens, { token: tokens.app })
    expect(await jsonOf(await asApp(tokens.baseUrl + SCOPES))).toMatchObject({ code: 0, data: { token_type: 'app' } })
    const asUser = client.open(tokens, { token: tokens.user('ann') })
    expect(await jsonOf(await asUser(tokens.baseUrl + SCOPES))).toMatchObject({ code: 0, data: { user_id: 'ann' } })
    world.simulator.revokeUser(world.appId, 'ann', 'access-token')
    expect(await jsonOf(await asUser(tokens.baseUrl + SCOPES))).toMatchObject({ code: 0, data: { user_id: 'ann' } })
    expect(calls(world).map(({ code }) => code)).toEqual([0, 0, 99991668, 0])
  })

  test('that which a function picks', async () => {
    const { tokens } = await createReadyWorld()
    const send = client.open(tokens, { token: ({ method }) => (method === 'GET' ? tokens.app : undefined) })
    expect(await jsonOf(await send(tokens.baseUrl + SCOPES))).toMatchObject({ data: { token_type: 'app' } })
    expect(await jsonOf(await send(tokens.baseUrl + SCOPES, { method: 'POST' }))).toMatchObject({ code: 99991671 })
  })

  test('that of the one tenant of a custom app, which is not named', async () => {
    const world = await createWorld({ appType: 'custom' })
    const { tokens } = world.node(withChance(0))
    const api = feishuFetch(tokens)
    expect(await (await api(SCOPES)).json()).toMatchObject({ code: 0, data: { token_type: 'tenant' } })
    world.simulator.revoke(world.appId, { next: 'new' })
    expect(await (await api(SCOPES)).json()).toMatchObject({ code: 0 })
  })

  test('what the function throws is what the request fails with', async () => {
    const { tokens } = await createReadyWorld()
    const broken = new Error('no tenant here')
    const send = client.open(tokens, {
      tenantKey: () => {
        throw broken
      },
    })
    expect(await errorOf(send(tokens.baseUrl + SCOPES))).toBe(broken)
    const misnamed = client.open(tokens, { tenantKey: () => '' })
    expect(await errorOf(misnamed(tokens.baseUrl + SCOPES))).toBeInstanceOf(TypeError)
  })

  test('never that of another app', async () => {
    const { world, tokens } = await createReadyWorld()
    const other = ofApp('cli_other', 'lark')
    const manager = createTokenManager({ store: memoryStore() })
    const foreign = manager.token({ key: 'partner', fetch: async () => ({ value: 'secret', expiresInMs: 60_000 }) })
    for (const token of [other.app, other.tenant('t'), foreign]) {
      expect(() => feishuAuth(tokens, { token })).toThrow(/^token: expected a credential of the app of these tokens/)
      expect(await errorOf(client.open(tokens, { token: () => token })(tokens.baseUrl + SCOPES))).toBeInstanceOf(TypeError)
    }
    expect(calls(world)).toHaveLength(0)
    await other.close()
    await manager.close()
  })
})

describe('what is wrong is refused when it is made', () => {
  const tokens = ofApp('cli_options')

  test.each<[unknown, string]>([
    [{ tenant: 'x' }, 'there is no option "tenant"'],
    [{ tenantKey: 'x', token: tokens.app }, 'contradict each other'],
    [{ tenantKey: '' }, 'tenantKey: expected'],
    [{ tenantKey: 7 }, 'tenantKey: expected'],
    [{}, 'tenantKey: expected'],
    [{ token: 'a-token-as-text' }, 'token: expected an object with use(), got a string of 15 characters'],
    [{ tenantKey: 'x', rateLimitWaitMs: -1 }, 'rateLimitWaitMs: expected a whole number from 0 to 600000, got -1'],
    [{ tenantKey: 'x', rateLimitWaitMs: 600_001 }, 'rateLimitWaitMs'],
    ['tenant', 'expected an object'],
  ])('%o', (options, message) => {
    for (const make of [feishuAuth, feishuFetch]) {
      expect(() => make(tokens, options as object)).toThrow(TypeError)
      expect(() => make(tokens, options as object)).toThrow(message)
    }
  })

  test.each([undefined, null, {}, 'tokens', { tenant() {} }])('%o for tokens', (given) => {
    expect(() => feishuAuth(given as FeishuTokens, { tenantKey: 'x' })).toThrow(/^tokens/)
  })

  test('a dispatcher that is none, and one for a single request of feishuFetch', async () => {
    expect(() => feishuFetch(tokens, { tenantKey: 'x', dispatcher: 'http://proxy' as unknown as Dispatcher })).toThrow(
      /^dispatcher must be/,
    )
    const error = await errorOf(feishuFetch(tokens, { tenantKey: 'x' })('/x', { dispatcher: new Agent() } as unknown as RequestInit))
    expect(error).toBeInstanceOf(TypeError)
  })

  test('a dispatcher of undici 6, at the first request', () => {
    const dispatch = feishuAuth(tokens, { tenantKey: 'x' })((_request: unknown, _handler: object) => true)
    expect(() => dispatch({ origin: tokens.baseUrl, path: '/', method: 'GET' }, { onConnect() {}, onHeaders() {} })).toThrow(/undici 6/)
  })
})

test('the base URL is that of the domain', () => {
  expect(ofApp('cli_x').baseUrl).toBe('https://open.feishu.cn')
  expect(ofApp('cli_x', 'lark').baseUrl).toBe('https://open.larksuite.com')
  expect(ofApp('cli_x', 'https://gateway.example/feishu/').baseUrl).toBe('https://gateway.example/feishu')
})

test('what a dispatcher throws with the headers of the request in it comes without the token', async () => {
  const { world, tokens } = await createReadyWorld()
  revoke(world)
  const quoting: Dispatcher.DispatcherComposeInterceptor = () => (request, handler) => {
    handler.onResponseError?.(undefined as never, Object.assign(new Error('not matched'), { headers: request.headers, code: 'MOCK' }))
    return false
  }
  const dispatcher = new Agent().compose(quoting, feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const error = await errorOf(dispatcher.request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' }))
  expect(error).toMatchObject({ message: 'not matched', code: 'MOCK' })
  expect(inspect(error)).not.toContain((await tokens.tenant(TENANT).get()).value)
})

test('tokens of a test of one’s own are taken, with the clocks of the machine', async () => {
  const { tokens } = await createReadyWorld()
  const { baseUrl, app } = tokens
  const fake = { baseUrl, app, tenant: (key?: string) => tokens.tenant(key) } as FeishuTokens
  expect(await jsonOf(await client.open(fake, { tenantKey: TENANT })(baseUrl + SCOPES))).toMatchObject({ code: 0 })
})
