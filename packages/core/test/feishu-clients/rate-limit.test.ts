import type { FeishuTokens } from '@tokenwell/core/feishu'
import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { listen, pass, quiet, watched } from '../support/world.ts'
import { calls, createReadyWorld, everyClient, jsonOf, revoke, SCOPES, TENANT, tenantMints, textOf } from './support.ts'

describe.each(everyClient)('%s', (_, client) => {
  test.each([429, 400] as const)(
    'a request that is throttled with status %i waits as long as the platform says',
    async (rateLimitStatus) => {
      const { world, tokens } = await createReadyWorld({ behaviour: { rateLimitStatus } })
      world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 3 })
      const body = '{"text":"hello"}'
      const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
      const waiting = watched(client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES, sent))
      await pass(world.clock, 2_999)
      expect([waiting.outcome, calls(world).length]).toEqual(['pending', 1])
      await pass(world.clock, 1)
      expect(await jsonOf(await waiting.promise)).toMatchObject({ code: 0 })
      expect(calls(world).map(({ fields }) => fields)).toEqual([{ text: 'hello' }, { text: 'hello' }])
      expect(tenantMints(world)).toBe(1)
    },
  )

  test('one that is told to wait longer than it may is handed on at once', async () => {
    const { world, tokens } = await createReadyWorld()
    world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 16 })
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
    expect([reply.status, reply.headers['x-ogw-ratelimit-reset']]).toEqual([429, '16'])
    expect(await jsonOf(reply)).toMatchObject({ code: 99991400 })
    expect(calls(world)).toHaveLength(1)
  })
})

const [, client] = everyClient[0] ?? []
if (client === undefined) throw new Error('no client')

test('with rateLimitWaitMs 0 no request waits', async () => {
  const { world, tokens } = await createReadyWorld()
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 1 })
  const reply = await client.open(tokens, { tenantKey: TENANT, rateLimitWaitMs: 0 })(tokens.baseUrl + SCOPES)
  expect(reply.status).toBe(429)
  expect(await jsonOf(reply)).toMatchObject({ code: 99991400 })
})

test('the waits of a request together are no longer than rateLimitWaitMs', async () => {
  const { world, tokens } = await createReadyWorld()
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 4 }, { times: Number.POSITIVE_INFINITY })
  const waiting = watched(client.open(tokens, { tenantKey: TENANT, rateLimitWaitMs: 10_000 })(tokens.baseUrl + SCOPES))
  await pass(world.clock, 8_000)
  expect(waiting.outcome).toBe('resolved')
  expect(calls(world)).toHaveLength(3)
})

/** A domain of the test's own that answers first like this, then well; on the clock of the world. */
async function answering(status: number, headers: Record<string, string>, body: string) {
  const { world, tokens } = await createReadyWorld()
  let count = 0
  const baseUrl = await listen((_incoming, response) => {
    count += 1
    if (count === 1) response.writeHead(status, headers).end(body)
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"code":0}')
  })
  const own: FeishuTokens = Object.create(tokens, { baseUrl: { value: baseUrl } })
  return { world, tokens: own, url: `${baseUrl}/x`, count: () => count }
}

test('a reply with status 429 that is no JSON is waited for as well', async () => {
  const { world, tokens, url, count } = await answering(429, { 'x-ogw-ratelimit-reset': '2' }, 'slow down')
  const waiting = watched(client.open(tokens, { tenantKey: TENANT })(url))
  await pass(world.clock, 1_999)
  expect([waiting.outcome, count()]).toEqual(['pending', 1])
  await pass(world.clock, 1)
  expect(await jsonOf(await waiting.promise)).toEqual({ code: 0 })
})

test('one that says no time is handed on at once', async () => {
  const { tokens, url, count } = await answering(429, {}, 'slow down')
  expect((await client.open(tokens, { tenantKey: TENANT })(url)).status).toBe(429)
  expect(count()).toBe(1)
})

test.each([
  [200, '{"data":{},"code":0}'],
  [400, '{"code":230001}'],
])('the header on a reply with status %i that does not throttle means nothing', async (status, body) => {
  const headers = { 'content-type': 'application/json', 'x-ogw-ratelimit-reset': '2' }
  const { tokens, url, count } = await answering(status, headers, body)
  const reply = await client.open(tokens, { tenantKey: TENANT })(url)
  expect([reply.status, await textOf(reply), count()]).toEqual([status, body, 1])
})

test('those who were throttled at the same time do not come back at the same time', async () => {
  const { world } = await createReadyWorld()
  let drawn = 0
  // Chance as it is for the second of two.
  const fraction = () => (drawn++ % 2 === 0 ? 0 : 0.5)
  const node = world.node({ manager: { random: { fraction, id: () => crypto.randomUUID() } } })
  await node.tokens.tenantAccessToken(TENANT)
  drawn = 0
  const send = client.open(node.tokens, { tenantKey: TENANT })
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 2 }, { times: 2 })
  const waiting = [watched(send(node.tokens.baseUrl + SCOPES)), watched(send(node.tokens.baseUrl + SCOPES))]
  await pass(world.clock, 2_000)
  expect(waiting.map(({ outcome }) => outcome).sort()).toEqual(['pending', 'resolved'])
  await pass(world.clock, 500)
  expect(waiting.map(({ outcome }) => outcome)).toEqual(['resolved', 'resolved'])
})

test('a token that is refused after the wait is replaced, once', async () => {
  const { world, tokens } = await createReadyWorld()
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 2 })
  const waiting = client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
  await quiet()
  revoke(world)
  await pass(world.clock, 2_000)
  expect(await jsonOf(await waiting)).toMatchObject({ code: 0 })
  expect(calls(world).map(({ code }) => code)).toEqual([99991400, 99991663, 0])
})

test('who leaves while it waits is told at once, and nothing is sent any more', async () => {
  const { world, tokens } = await createReadyWorld()
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 5 })
  const controller = new AbortController()
  const waiting = errorOf(client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES, { signal: controller.signal }))
  await quiet()
  controller.abort(new Error('gone'))
  expect(await waiting).toMatchObject({ message: 'gone' })
  await pass(world.clock, 10_000)
  expect(calls(world)).toHaveLength(1)
})
