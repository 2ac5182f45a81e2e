import type { IncomingHttpHeaders } from 'node:http'
import type { FeishuTokens } from '@tokenwell/core/feishu'
import { feishuAuth, feishuFetch } from '@tokenwell/core/feishu'
import { Agent, Pool, request } from 'undici'
import * as undici7 from 'undici-7'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { listen } from '../support/world.ts'
import { calls, createReadyWorld, everyClient, jsonOf, revoke, SCOPES, TENANT, tenantMints, textOf } from './support.ts'

/** Another origin: says what it was sent, and calls every token dead. */
async function stranger(): Promise<{ url: string; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = []
  const url = await listen((incoming, response) => {
    seen.push(incoming.headers)
    incoming.resume()
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"code":99991663}')
  })
  return { url, seen }
}

/** The same tokens on a domain of the test's own. */
function on(tokens: FeishuTokens, baseUrl: string): FeishuTokens {
  return { ...tokens, baseUrl }
}

describe.each(everyClient)('%s', (_, client) => {
  test('sends a request to another origin as it is, and believes nothing it says about tokens', async () => {
    const { world, tokens } = await createReadyWorld()
    const other = await stranger()
    const send = client.open(tokens, { tenantKey: TENANT })
    expect(await jsonOf(await send(`${other.url}/open-apis/x`))).toEqual({ code: 99991663 })
    expect(await textOf(await send(`${other.url}/`, { headers: { authorization: 'Basic mine' } }))).toContain('99991663')
    expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined, 'Basic mine'])
    expect(tenantMints(world)).toBe(1)
  })

  test.each([301, 302, 303, 307, 308])('does not take the token along when it follows a redirect %i to another origin', async (status) => {
    const { world, tokens } = await createReadyWorld()
    const other = await stranger()
    world.simulator.fault('api', { kind: 'redirect', location: `${other.url}/elsewhere`, status })
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
    expect(reply.status).toBe(400)
    await textOf(reply)
    expect(calls(world)).toHaveLength(1)
    expect(other.seen).toHaveLength(1)
    expect(other.seen[0]?.authorization).toBeUndefined()
    expect(tenantMints(world)).toBe(1)
  })

  test('takes it along on the domain of the app, and gives it to a redirect back to it', async () => {
    const { world, tokens } = await createReadyWorld()
    const back = await listen((_request, response) =>
      response.writeHead(302, { location: `${tokens.baseUrl}/open-apis/contact/v3/departments` }).end(),
    )
    const send = client.open(tokens, { tenantKey: TENANT })
    world.simulator.fault('api', { kind: 'redirect', location: '/open-apis/contact/v3/users' })
    expect(await jsonOf(await send(tokens.baseUrl + SCOPES))).toMatchObject({ code: 0 })
    world.simulator.fault('api', { kind: 'redirect', location: back })
    const { code } = await jsonOf(await send(tokens.baseUrl + SCOPES))
    // With the redirects followed inside, the token is gone with the other origin.
    expect(code === 0 || client.name.includes('inside')).toBe(true)
  })

  test('leaves an Authorization header as it is, whatever becomes of it', async () => {
    const { world, tokens } = await createReadyWorld()
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES, {
      headers: { Authorization: 'Bearer t-mine-own-token' },
    })
    expect(await jsonOf(reply)).toMatchObject({ code: 99991663 })
    expect(calls(world).map(({ authorization }) => authorization)).toEqual(['Bearer t-mine-own-token'])
    expect(tenantMints(world)).toBe(1)
  })

  test('of a domain with a path sends the token below that path alone', async () => {
    const { tokens } = await createReadyWorld()
    const gateway = await stranger()
    const send = client.open(on(tokens, `${gateway.url}/feishu`), { tenantKey: TENANT, rateLimitWaitMs: 0 })
    for (const path of ['/feishu/open-apis/x', '/feishu?x=/feishu/', '/feishuX/y', '/', '/feishu/../admin', '/feishu/%2e%2e/admin']) {
      await textOf(await send(gateway.url + path))
    }
    // The first is refused, and the platform stands by the token.
    expect(gateway.seen.map(({ authorization }) => authorization !== undefined)).toEqual([true, false, false, false, false, false])
  })
})

test('a path that looks like a host is one of the origin it is sent to', async () => {
  const { tokens } = await createReadyWorld()
  const other = await stranger()
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const host = tokens.baseUrl.replace('http:', '')
  for (const path of [`${host}${SCOPES}`, `${tokens.baseUrl}${SCOPES}`]) {
    const { body } = await dispatcher.request({ origin: other.url, path, method: 'GET' })
    await body.dump()
  }
  expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
})

test('a pool for one origin is believed, not what a request says', async () => {
  const { world, tokens } = await createReadyWorld()
  const other = await stranger()
  const auth = feishuAuth(tokens, { tenantKey: TENANT })
  const [own, foreign] = [new Pool(tokens.baseUrl), new Pool(other.url)]
  onTestFinished(async () => void (await Promise.all([own.destroy(), foreign.destroy()])))
  revoke(world)
  const { body } = await own.compose(auth).request({ path: SCOPES, method: 'GET' })
  expect(await body.json()).toMatchObject({ code: 0 })
  const elsewhere = await foreign.compose(auth).request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' })
  await elsewhere.body.dump()
  expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined])
})

test('undici 7 does not say where a pool goes: a request has to', async () => {
  const { tokens } = await createReadyWorld()
  const pool = new undici7.Pool(tokens.baseUrl)
  onTestFinished(() => pool.destroy())
  const dispatcher = pool.compose(feishuAuth(tokens, { tenantKey: TENANT }))
  const error = await errorOf(dispatcher.request({ path: SCOPES, method: 'GET' }))
  expect(error).toBeInstanceOf(TypeError)
  expect((error as Error).message).toContain('names no origin')
  const { body } = await dispatcher.request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' })
  expect(await body.json()).toMatchObject({ code: 0 })
})

test('a request to a proxy for a tunnel passes as it is', async () => {
  const { tokens } = await createReadyWorld()
  const seen: unknown[] = []
  const auth = feishuAuth(tokens, { tenantKey: TENANT })
  const dispatch = auth((opts: Readonly<{ headers?: unknown }>, _handler: object) => seen.push(opts.headers) > 0)
  dispatch({ origin: tokens.baseUrl, path: 'example.com:443', method: 'CONNECT' } as never, { onRequestStart() {} } as never)
  expect(seen).toEqual([undefined])
})

test('feishuFetch takes a path for one of the domain, and has a path of two slashes stay there', async () => {
  const { world, tokens } = await createReadyWorld()
  const api = feishuFetch(tokens, { tenantKey: TENANT })
  expect(await (await api(SCOPES)).json()).toMatchObject({ code: 0 })
  await (await api('//127.0.0.1:9/open-apis/x')).arrayBuffer()
  expect(world.simulator.requests.at(-1)?.path).toBe('//127.0.0.1:9/open-apis/x')
})

test('feishuFetch takes a URL and a Request, through the global dispatcher of undici', async () => {
  const { tokens } = await createReadyWorld()
  const api = feishuFetch(tokens, { tenantKey: TENANT })
  expect(await (await api(new URL(tokens.baseUrl + SCOPES))).json()).toMatchObject({ code: 0 })
  const reply = await api(new Request(tokens.baseUrl + SCOPES, { method: 'POST', body: new URLSearchParams({ a: 'b' }) }))
  expect(reply).toBeInstanceOf(Response)
  expect(reply.url).toBe(tokens.baseUrl + SCOPES)
  expect(await reply.json()).toMatchObject({ code: 0 })
})

test('headers in every form that undici takes go along', async () => {
  const { tokens } = await createReadyWorld()
  const seen: IncomingHttpHeaders[] = []
  const url = await listen((incoming, response) => {
    seen.push(incoming.headers)
    response.end()
  })
  const dispatcher = new Agent().compose(feishuAuth(on(tokens, url), { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const pairs = function* (): Generator<[string, string]> {
    yield ['x-a', '1']
  }
  for (const headers of [
    { 'X-A': '1' },
    ['x-a', '1'],
    new Map([['x-a', '1']]),
    pairs(),
    { 'x-a': ['1'], 'x-b': undefined },
    null,
    undefined,
  ]) {
    const { body } = await request(url, { dispatcher, ...(headers === undefined ? {} : { headers }) })
    await body.dump()
  }
  expect(seen.map((each) => each['x-a'])).toEqual(['1', '1', '1', '1', '1', undefined, undefined])
  expect(seen.every(({ authorization }) => authorization?.startsWith('Bearer '))).toBe(true)
})
