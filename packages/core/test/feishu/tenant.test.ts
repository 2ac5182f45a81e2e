import { isTokenError, type TokenError } from '@tokenwell/core'
import type { FeishuTokens } from '@tokenwell/core/feishu'
import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { callApi, createWorld, eventually, HOUR, MINUTE, mostInAMinute, pass, quiet, type World, withChance } from '../support/world.ts'

const TENANT = 'tenant_access_token'

function requests({ simulator }: World): { readonly app: number; readonly tenant: number } {
  const { app_access_token: app, tenant_access_token: tenant } = simulator.counters().requests
  return { app, tenant }
}

const keys = (count: number) => Array.from({ length: count }, (_, index) => `tenant-${index}`)

function each(tokens: FeishuTokens, tenantKeys: readonly string[]): Promise<string[]> {
  return Promise.all(tenantKeys.map((tenantKey) => tokens.tenantAccessToken(tenantKey)))
}

async function failure(promise: Promise<unknown>): Promise<TokenError> {
  const error = await errorOf(promise)
  if (!isTokenError(error)) throw new Error('expected a TokenError', { cause: error })
  return error
}

describe('a tenant token', () => {
  test('is minted from the app token of the fleet, once for all nodes', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()]
    const tenants = keys(50)
    const [one, other] = await Promise.all(nodes.map(({ tokens }) => each(tokens, tenants)))
    expect(one).toEqual(other)
    expect(new Set(one).size).toBe(50)
    expect(one?.map((value) => world.simulator.judge(value))).toEqual(tenants.map(() => 'valid'))
    expect(requests(world)).toEqual({ app: 1, tenant: 50 })
    expect(await callApi(world, one?.[7] ?? '')).toMatchObject({ code: 0, data: { token_type: 'tenant', tenant_key: 'tenant-7' } })
  })

  test('is renewed in the background, with the app token that is there', async () => {
    const world = await createWorld()
    const { tokens } = world.node(withChance(0.5))
    await each(tokens, keys(20))
    const old = tokens.tenant('tenant-3').peek()
    await pass(world.clock, HOUR + 40 * MINUTE)
    expect(await tokens.tenantAccessToken('tenant-3')).not.toBe(old?.value)
    expect(await each(tokens, keys(20))).toHaveLength(20)
    await quiet()
    expect(requests(world).app).toBe(2)
    expect(world.simulator.counters().newTokens.tenant).toBe(40)
    expect(world.simulator.counters().errors).toEqual({})
  })

  test('of one of many that were minted together is renewed at a moment of its own', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await each(tokens, keys(100))
    await pass(world.clock, 5 * MINUTE)
    await each(tokens, keys(100))
    await pass(world.clock, 2 * HOUR - 10 * MINUTE)
    const times = world.simulator.requests.filter(({ endpoint }) => endpoint === TENANT).map(({ receivedAtMs }) => receivedAtMs)
    const renewals = times.slice(100)
    expect(renewals).toHaveLength(100)
    // Ten a minute for ten minutes, as chance has it.
    expect(Math.max(...renewals) - Math.min(...renewals)).toBeGreaterThan(7 * MINUTE)
    expect(mostInAMinute(renewals)).toBeLessThanOrEqual(35)
  })

  test('of a tenant is another handle than that of any other, however alike their keys', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const alike = ['a', 'a/b', 'a%2Fb', 'a b', 'a+b', 'A', 'é', 'e\u0301', 'ﬁ', 'fi', '..', 'a\n', ' a']
    const values = await each(tokens, alike)
    expect(new Set(values).size).toBe(alike.length)
    expect(new Set(alike.map((key) => tokens.tenant(key).key)).size).toBe(alike.length)
    expect(tokens.tenant('a')).toBe(tokens.tenant('a'))
    for (const [index, value] of values.entries()) {
      expect(await callApi(world, value)).toMatchObject({ data: { tenant_key: alike[index] } })
    }
  })

  test.each([[''], ['x'.repeat(65)], ['\ud800'], ['a\0'], [7 as never], [undefined as never]])('is refused for the key %j', async (key) => {
    const { tokens } = (await createWorld()).node()
    expect(() => tokens.tenant(key)).toThrow(TypeError)
    await expect(tokens.tenantAccessToken(key)).rejects.toThrow('tenantKey')
  })

  test('that an API refuses is replaced for the fleet', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    const dead = await one.tokens.tenantAccessToken('t')
    await other.tokens.tenantAccessToken('t')
    world.simulator.revoke(world.appId, { next: 'new', tenantKey: 't' })
    const reply = await one.tokens.tenant('t').use(({ value }) => callApi(world, value))
    expect(reply).toMatchObject({ code: 0 })
    await quiet()
    await other.tokens.tenantAccessToken('t')
    await quiet()
    expect(await other.tokens.tenantAccessToken('t')).not.toBe(dead)
    expect(requests(world)).toEqual({ app: 1, tenant: 2 })
  })
})

describe('the app token that tenants are minted from', () => {
  test('is fetched once when it turns out to be dead while 500 tenants renew, and every tenant succeeds', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node(), world.node()]
    for (const { tokens } of nodes) await tokens.app.get()
    world.simulator.revoke(world.appId, { next: 'new' })
    const tenants = keys(500)
    const all = await Promise.all(nodes.map(({ tokens }) => each(tokens, tenants)))
    expect(new Set(all.map(String)).size).toBe(1)
    expect(all[0]?.map((value) => world.simulator.judge(value))).toEqual(tenants.map(() => 'valid'))
    expect(requests(world).app).toBe(2)
    expect(world.simulator.counters().newTokens.tenant).toBe(500)
  })

  test('when the platform gives the dead one back, is asked for a bounded number of times, and works again when it does', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    world.simulator.revoke(world.appId, { next: 'same' })
    const waiting = failure(tokens.tenant('t').get({ timeoutMs: 5 * MINUTE }))
    await pass(world.clock, 5 * MINUTE)
    const error = await waiting
    expect(error).toMatchObject({ code: 'TOKEN_REJECTED', retryable: true })
    // Nine requests a minute and key, in every fault.
    expect(requests(world).tenant).toBeLessThanOrEqual(2 * 45)
    expect(requests(world).app).toBeLessThanOrEqual(45)
    world.simulator.revoke(world.appId, { next: 'new' })
    const served = tokens.tenant('t').get({ timeoutMs: 4 * MINUTE })
    await pass(world.clock, 4 * MINUTE)
    expect(world.simulator.judge((await served).value)).toBe('valid')
  })

  test('rejected, takes no tenant token with it', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const before = await each(tokens, keys(10))
    await tokens.app.reject(await tokens.app.get())
    await tokens.app.get()
    expect(await each(tokens, keys(10))).toEqual(before)
    expect(requests(world).tenant).toBe(10)
  })

  test('is not needed for a tenant token that the store has', async () => {
    const world = await createWorld()
    const value = await world.node().tokens.tenantAccessToken('t')
    await world.node().tokens.app.get()
    world.simulator.fault('app_access_token', { kind: 'code', code: 10014 }, { times: Number.POSITIVE_INFINITY })
    world.simulator.revoke(world.appId, { next: 'new' })
    const newcomer = world.node()
    const dead = await newcomer.tokens.app.get()
    await newcomer.tokens.app.reject(dead)
    expect(newcomer.tokens.app.peek()).toBeUndefined()
    expect(await newcomer.tokens.tenantAccessToken('t')).toBe(value)
  })

  test('that cannot be had is what a tenant’s caller is told', async () => {
    const world = await createWorld({ ticket: false })
    world.simulator.fault('app_ticket_resend', { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
    const { tokens } = world.node()
    const waiting = failure(tokens.tenantAccessToken('t'))
    await pass(world.clock, 16_000)
    expect(await waiting).toMatchObject({ code: 'TICKET_UNAVAILABLE', retryable: true })
    expect(requests(world)).toEqual({ app: 0, tenant: 0 })
    // While they wait no lease is held, and the store is not asked again and again.
    expect(
      (await world.store.read([`tokenwell/${tokens.tenant('t').key}`], { signal: AbortSignal.timeout(1_000) }))[0]?.lease,
    ).toBeUndefined()
  })

  test('refused for its configuration fails a tenant’s caller at once', async () => {
    const world = await createWorld()
    world.simulator.fault('app_access_token', { kind: 'code', code: 10014 })
    const { tokens } = world.node()
    expect(await failure(tokens.tenantAccessToken('t'))).toMatchObject({ code: 'CONFIGURATION_REJECTED', retryable: false })
  })
})

describe('a tenant for which the app is switched off', () => {
  test.each([99991662, 99991673])('(code %i) fails alone', async (code) => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    world.simulator.fault(TENANT, { kind: 'code', code })
    const error = await failure(tokens.tenantAccessToken('off'))
    expect(error).toMatchObject({ code: 'UPSTREAM_REFUSED', retryable: false, upstream: { code } })
    expect(error.message).toContain('its administrator has to enable it')
    await tokens.tenantAccessToken('on')
    expect(requests(world)).toEqual({ app: 1, tenant: 2 })
  })
})

describe('warming', () => {
  test('adopts in batches what the fleet has, and fetches the rest', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    await each(first.tokens, keys(300))
    const before = requests(world)
    const progress: number[] = []
    const report = await second.tokens.warm(keys(450), { concurrency: 20, onProgress: ({ done }) => progress.push(done) })
    expect(report).toEqual({ total: 450, found: 300, fetched: 150, failed: [] })
    expect(progress).toEqual(Array.from({ length: 450 }, (_, index) => index + 1))
    expect(requests(world)).toEqual({ app: before.app, tenant: before.tenant + 150 })
    for (const key of keys(450)) expect(second.tokens.tenant(key).peek()).toBeDefined()
  })

  test('asks the store once for many', async () => {
    const world = await createWorld()
    await each(world.node().tokens, keys(400))
    const calls: string[] = []
    const counted = {
      ...world.store,
      read: (...given: Parameters<typeof world.store.read>) => {
        calls.push('read')
        return world.store.read(...given)
      },
      claim: (...given: Parameters<typeof world.store.claim>) => {
        calls.push('claim')
        return world.store.claim(...given)
      },
    }
    const { tokens } = world.node({ store: counted })
    await tokens.warm(keys(400))
    expect(calls).toEqual(['read', 'read'])
  })

  test('goes on when a tenant fails, and says which', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    world.simulator.fault(TENANT, { kind: 'code', code: 99991662 })
    const report = await tokens.warm(['off', 'on', 'other'], { concurrency: 1 })
    expect(report).toMatchObject({ total: 3, found: 0, fetched: 2, failed: [{ tenantKey: 'off', error: { code: 'UPSTREAM_REFUSED' } }] })
  })

  test('keeps to its concurrency, and ends with its signal', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    const fault = world.simulator.fault(TENANT, { kind: 'hang' }, { times: Number.POSITIVE_INFINITY })
    const controller = new AbortController()
    const warming = failure(tokens.warm(keys(30), { concurrency: 4, signal: controller.signal }))
    await eventually(() => world.simulator.counters().inFlight.tenant_access_token === 4)
    await quiet()
    expect(world.simulator.counters().inFlight.tenant_access_token).toBe(4)
    controller.abort()
    expect(await warming).toMatchObject({ code: 'ABORTED' })
    fault.release()
    await quiet()
    expect(requests(world).tenant).toBe(4)
  })

  test('ends for all that are under way with what onProgress throws', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    let calls = 0
    const onProgress = () => {
      calls += 1
      if (calls === 3) throw new Error('enough')
    }
    await expect(tokens.warm(keys(60), { concurrency: 4, onProgress })).rejects.toThrow('enough')
    expect(calls).toBeLessThanOrEqual(3 + 3)
    expect(requests(world).tenant).toBe(calls)
  })

  test('takes keys, and not the characters of one', async () => {
    const { tokens } = (await createWorld()).node()
    await expect(tokens.warm('t1')).rejects.toThrow('tenantKeys: expected an array')
    await expect(tokens.warm(undefined as never)).rejects.toThrow('tenantKeys: expected an array')
  })

  test.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ onProgress: 1 as never }, 'onProgress'],
    [{ signal: {} as never }, 'signal'],
    [{ speed: 1 } as never, 'speed'],
  ])('refuses %j', async (options, name) => {
    const { tokens } = (await createWorld()).node()
    await expect(tokens.warm(['t'], options)).rejects.toThrow(name)
  })
})

test('a closed object mints nothing for tenants', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  await tokens.close()
  expect(await failure(tokens.tenantAccessToken('t'))).toMatchObject({ code: 'CLOSED' })
  expect(await failure(tokens.warm(['t']))).toMatchObject({ code: 'CLOSED' })
})
