import type { Endpoint } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import {
  APP,
  APP_TOKEN_INTERNAL,
  type Bench,
  bench,
  CUSTOM_APP,
  credentials,
  OAUTH_TOKEN,
  type Reply,
  TENANT_TOKEN_INTERNAL,
  tokenOf,
} from './support/client.ts'

interface Target {
  readonly app: typeof APP
  /** Makes ready, and gives the request that the fault is to strike. */
  readonly prepare: (world: Bench) => Promise<() => Promise<Reply>>
}

const TARGETS: Readonly<Partial<Record<Endpoint, Target>>> = {
  tenant_access_token: {
    app: APP,
    prepare: async ({ mint, mintTenant }) => {
      await mint()
      return () => mintTenant()
    },
  },
  app_access_token_internal: {
    app: CUSTOM_APP,
    prepare:
      async ({ post }) =>
      () =>
        post(APP_TOKEN_INTERNAL, credentials),
  },
  tenant_access_token_internal: {
    app: CUSTOM_APP,
    prepare:
      async ({ post }) =>
      () =>
        post(TENANT_TOKEN_INTERNAL, credentials),
  },
  oauth_token: {
    app: APP,
    prepare: async ({ authorize, refresh }) => {
      const { refresh_token } = (await authorize()).json
      return () => refresh(refresh_token)
    },
  },
  jsapi_ticket: {
    app: APP,
    prepare: async ({ mintTenant, jsapi }) => {
      const token = tokenOf(await mintTenant())
      return () => jsapi(token)
    },
  },
}

const NAMES = Object.keys(TARGETS) as Endpoint[]

async function prepared(name: Endpoint) {
  const target = TARGETS[name]
  if (target === undefined) throw new Error(name)
  const world = await bench({ apps: [target.app] })
  const request = await target.prepare(world)
  const before = world.sim.counters().newTokens
  const minted = () => {
    const { newTokens } = world.sim.counters()
    return newTokens.app + newTokens.tenant + newTokens.user + newTokens.jsapi - before.app - before.tenant - before.user - before.jsapi
  }
  return { ...world, request, minted }
}

describe.each(NAMES)('a fault of %s', (name) => {
  it('holds the request back before it is carried out', async () => {
    const { sim, request, minted } = await prepared(name)
    const held = sim.next('held')
    const fault = sim.fault(name, { kind: 'hang' })
    const reply = request()
    expect((await held).endpoint).toBe(name)
    expect(minted()).toBe(0)
    fault.release()
    expect((await reply).json.code).toBe(0)
    expect(minted()).toBeGreaterThan(0)
  })

  it('holds the reply back after the work', async () => {
    const { sim, request, minted } = await prepared(name)
    const held = sim.next('held')
    const fault = sim.fault(name, { kind: 'hang', at: 'reply' })
    const reply = request()
    expect((await held).effect).toBe('new-token')
    expect(minted()).toBeGreaterThan(0)
    fault.release()
    expect((await reply).json.code).toBe(0)
  })

  it('delays the reply on the simulator’s clock', async () => {
    const { sim, clock, request } = await prepared(name)
    const held = sim.next('held')
    sim.fault(name, { kind: 'delay', ms: 5000, at: 'reply' })
    const reply = request()
    await held
    clock.advance(5000)
    expect((await reply).json.code).toBe(0)
  })

  it('loses the request, or the reply after the work', async () => {
    const { sim, request, minted } = await prepared(name)
    sim.fault(name, { kind: 'reset' })
    await expect(request()).rejects.toThrow()
    expect(minted()).toBe(0)
    sim.fault(name, { kind: 'reset', at: 'reply' })
    await expect(request()).rejects.toThrow()
    expect(minted()).toBeGreaterThan(0)
  })

  it('answers in the place of the endpoint', async () => {
    const { sim, request, minted } = await prepared(name)
    sim.fault(name, { kind: 'status', status: 503 })
    sim.fault(name, { kind: 'html' })
    sim.fault(name, { kind: 'rate-limit', resetSeconds: 7 })
    sim.fault(name, { kind: 'code', code: 99991663, status: 400 })
    expect(await request()).toMatchObject({ status: 503, text: 'HTTP 503' })
    expect((await request()).text).toMatch(/^<!DOCTYPE html>/)
    expect((await request()).headers.get('x-ogw-ratelimit-reset')).toBe('7')
    expect(await request()).toMatchObject({ status: 400, json: { code: 99991663 } })
    expect(minted()).toBe(0)
  })

  it('cuts the true answer off', async () => {
    const { sim, request, minted } = await prepared(name)
    sim.fault(name, { kind: 'truncated' })
    const { text } = await request()
    expect(text).toMatch(/^\{"code":0/)
    expect(() => JSON.parse(text)).toThrow()
    expect(minted()).toBeGreaterThan(0)
  })
})

describe('a distorted answer', () => {
  const login = {
    code: 0,
    access_token: expect.any(String),
    expires_in: 7200,
    refresh_token: expect.any(String),
    refresh_token_expires_in: 604_800,
    scope: expect.any(String),
    token_type: 'Bearer',
  }
  const { access_token: _, ...withoutAccessToken } = login
  const { refresh_token: __, ...withoutRefreshToken } = login
  const { expires_in: ___, ...withoutLife } = login

  it.each([
    [{ kind: 'missing-token' }, withoutAccessToken],
    [{ kind: 'missing-token', field: 'refresh_token' }, withoutRefreshToken],
    [{ kind: 'wrong-types' }, { ...login, access_token: 42, refresh_token: 42, expires_in: [7200], msg: null }],
    [
      { kind: 'expire', value: 'soon' },
      { ...login, expires_in: 'soon' },
    ],
    [{ kind: 'expire' }, withoutLife],
  ] as const)('of a login: %j', async (fault, body) => {
    const { sim, authorize } = await bench()
    sim.fault('oauth_token', fault)
    expect((await authorize()).json).toEqual(body)
  })

  it.each([
    [{ kind: 'missing-token' }, { expire_in: 7200 }],
    [{ kind: 'wrong-types' }, { ticket: 42, expire_in: [7200] }],
    [
      { kind: 'expire', value: 0 },
      { ticket: expect.any(String), expire_in: 0 },
    ],
  ] as const)('of a ticket of the JS SDK: %j', async (fault, data) => {
    const { sim, mintTenant, jsapi } = await bench()
    const token = tokenOf(await mintTenant())
    sim.fault('jsapi_ticket', fault)
    expect((await jsapi(token)).json.data).toEqual(data)
  })

  it('has numbers for both tokens of a custom app, and leaves a refusal as it is', async () => {
    const { sim, post } = await bench({ apps: [CUSTOM_APP] })
    sim.fault('app_access_token_internal', { kind: 'wrong-types' })
    expect((await post(APP_TOKEN_INTERNAL, credentials)).json).toMatchObject({
      app_access_token: 42,
      tenant_access_token: 42,
      expire: [7200],
    })
    sim.fault('app_access_token_internal', { kind: 'expire', value: 1 })
    const refused = await post(APP_TOKEN_INTERNAL, { ...credentials, app_secret: 'wrong' })
    expect(refused.json).toEqual({ code: 10014, msg: expect.any(String) })
  })

  it('has no refresh token where the true one has none', async () => {
    const { sim, authorize } = await bench()
    sim.fault('oauth_token', { kind: 'wrong-types' })
    const { json } = await authorize(sim.issueCode('cli_one', 'user-1', { scope: 'auth:user.id:read' }))
    expect(json).toMatchObject({ access_token: 42 })
    expect(json).not.toHaveProperty('refresh_token')
  })

  it('refuses a login in the words of OAuth', async () => {
    const { sim, authorize } = await bench()
    sim.fault('oauth_token', { kind: 'code', code: 20050, status: 500, msg: 'later' })
    expect(await authorize()).toMatchObject({ status: 500, json: { code: 20050, error: expect.any(String), error_description: 'later' } })
  })
})

describe('a fault for some requests alone', () => {
  it('strikes those that fit, and lets the others through', async () => {
    const { sim, authorize, refresh } = await bench()
    const [one, two] = [await authorize(), await authorize(sim.issueCode('cli_one', 'user-2'))]
    const fault = sim.fault(OAUTH_TOKEN, { kind: 'status', status: 500 }, { fits: ({ userId }) => userId === 'user-2' })
    expect((await refresh(one.json.refresh_token)).status).toBe(200)
    expect([fault.left, fault.hits]).toEqual([1, 0])
    expect((await refresh(two.json.refresh_token)).status).toBe(500)
    expect([fault.left, fault.hits]).toEqual([0, 1])
  })

  it('strikes one tenant', async () => {
    const { sim, mintTenant } = await bench()
    const fits = ({ tenantKey }: { tenantKey?: string }) => tenantKey === 'tenant-2'
    sim.fault('tenant_access_token', { kind: 'code', code: 99991662 }, { times: 2, fits })
    const replies = [await mintTenant('tenant-1'), await mintTenant('tenant-2'), await mintTenant('tenant-2'), await mintTenant('tenant-2')]
    expect(replies.map(({ json }) => json.code)).toEqual([0, 99991662, 99991662, 0])
  })
})
