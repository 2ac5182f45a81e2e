import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { calls, createReadyWorld, everyClient, jsonOf, revoke, SCOPES, TENANT, tenantMints } from './support.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

describe.each(everyClient)('%s', (_, client) => {
  test('sends the token of the tenant, and hands the reply on as it came', async () => {
    const { world, tokens } = await createReadyWorld()
    const send = client.open(tokens, { tenantKey: TENANT })
    const reply = await send(`${tokens.baseUrl}${SCOPES}?page=2`, { headers: { 'x-mine': '1' } })
    expect(reply.status).toBe(200)
    expect(reply.headers['x-tt-logid']).toBe(calls(world)[0]?.logId)
    expect(await jsonOf(reply)).toMatchObject({ code: 0, data: { token_type: 'tenant', tenant_key: TENANT } })
    expect(calls(world)).toHaveLength(1)
  })

  test.each([200, 400, 401] as const)(
    'sends a request again whose token is refused with status %i, body and all',
    async (apiErrorStatus) => {
      const { world, tokens } = await createReadyWorld({ behaviour: { apiErrorStatus } })
      revoke(world)
      const body = JSON.stringify({ receive_id: 'ou_1', content: 'x'.repeat(100_000) })
      const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES, { method: 'POST', headers: JSON_TYPE, body })
      expect(await jsonOf(reply)).toMatchObject({ code: 0, data: { tenant_key: TENANT } })
      const [first, second, ...more] = calls(world)
      expect([first?.code, second?.code, more]).toEqual([99991663, 0, []])
      expect(second?.fields).toEqual(JSON.parse(body))
      expect(second?.fields).toEqual(first?.fields)
      expect(second?.authorization).not.toBe(first?.authorization)
      expect(tenantMints(world)).toBe(2)
    },
  )

  test('hands on the second refusal and does not try a third time', async () => {
    const { world, tokens } = await createReadyWorld()
    revoke(world)
    world.simulator.fault('api', { kind: 'code', code: 99991663, status: 400 }, { times: Number.POSITIVE_INFINITY })
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
    expect(reply.status).toBe(400)
    expect(await jsonOf(reply)).toMatchObject({ code: 99991663 })
    expect(calls(world)).toHaveLength(2)
  })

  test('hands on the first refusal where the platform stands by the token', async () => {
    const { world, tokens } = await createReadyWorld()
    world.simulator.fault('api', { kind: 'code', code: 99991663, status: 400 })
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
    expect(await jsonOf(reply)).toMatchObject({ code: 99991663 })
    expect(calls(world)).toHaveLength(1)
  })

  test.each([99991672, 99991668, 99991662, 230001])('hands on a reply with code %i, which does not refuse the token', async (code) => {
    const { world, tokens } = await createReadyWorld()
    revoke(world)
    world.simulator.fault('api', { kind: 'code', code, status: 400 })
    const reply = await client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES)
    expect([reply.status, (await jsonOf(reply)).code]).toEqual([400, code])
    expect(tenantMints(world)).toBe(1)
  })

  test('of 100 requests that are refused at once makes 200, and one mint', async () => {
    const { world, tokens } = await createReadyWorld()
    revoke(world)
    const send = client.open(tokens, { tenantKey: TENANT })
    const url = tokens.baseUrl + SCOPES
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, n) => send(url, { method: 'POST', headers: JSON_TYPE, body: `{"n":${n}}` })),
    )
    expect(new Set((await Promise.all(replies.map(jsonOf))).map(({ code }) => code))).toEqual(new Set([0]))
    expect(tenantMints(world)).toBe(2)
    expect(calls(world).length).toBeLessThanOrEqual(200)
    const served = calls(world).filter(({ code }) => code === 0)
    expect(new Set(served.map(({ fields }) => fields.n)).size).toBe(100)
  })

  test('fails with the TokenError where no token can be had', async () => {
    const { world, tokens } = await createReadyWorld()
    world.simulator.disableTenant(world.appId, 'tenant-2')
    const error = await errorOf(client.open(tokens, { tenantKey: 'tenant-2' })(tokens.baseUrl + SCOPES))
    // The fetch of undici wraps it.
    const told = client.name === 'fetch() of undici 8' ? (error as Error).cause : error
    expect(told).toMatchObject({ name: 'TokenError', code: 'UPSTREAM_REFUSED', upstream: { code: 99991662 } })
    expect(calls(world)).toHaveLength(0)
  })
})
