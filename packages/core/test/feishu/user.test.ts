import { isTokenError, type TokenError } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { secret } from '../../../../tools/leak-search/index.ts'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { leaseMs } from '../../src/machine/policy.ts'
import {
  createWorld,
  errorOf,
  eventually,
  HOUR,
  MINUTE,
  type Node,
  pass,
  quiet,
  type World,
  watched,
  withChance,
} from '../support/world.ts'

const OAUTH = 'oauth_token'
const DAY = 24 * HOUR
const LEASE = leaseMs(userPolicy)
const ANN = 'ann'

const requests = ({ simulator }: World) => simulator.counters().requests[OAUTH]

/** Lets a user go through the authorisation page and come back to this node. */
async function authorize(world: World, { tokens }: Node, userId = ANN, scope?: string): Promise<void> {
  const code = secret(world.simulator.issueCode(world.appId, userId, scope === undefined ? {} : { scope }), 'code')
  await tokens.user(userId).authorize({ code })
  noted(world)
}

/** What may not be in any event or error from now on. */
function noted({ simulator, appId }: World): void {
  for (const { accessToken, refreshTokens } of simulator.logins(appId)) {
    secret(accessToken, 'user access token')
    for (const { value } of refreshTokens) secret(value, 'refresh token')
  }
}

async function failure(promise: Promise<unknown>): Promise<TokenError> {
  const error = await errorOf(promise)
  if (!isTokenError(error)) throw new Error('expected a TokenError', { cause: error })
  return error
}

async function whoami(world: World, token: string): Promise<unknown> {
  const response = await fetch(`${world.simulator.url}/open-apis/authen/v1/user_info`, { headers: { authorization: `Bearer ${token}` } })
  return response.json()
}

/** The tokens of a user fall due for everybody who has them. */
const untilDue = (world: World) => pass(world.clock, 2 * HOUR - 5 * MINUTE)

describe('a user', () => {
  test('authorises on one node and is known on all', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node(), world.node()]
    const [first] = nodes as [Node]
    const code = world.simulator.issueCode(world.appId, ANN, { redirectUri: 'https://app.example/back' })
    const granted = await first.tokens.user(ANN).authorize({ code, redirectUri: 'https://app.example/back' })
    expect(granted).toEqual({ userId: ANN, endsInMs: 7 * DAY, scope: expect.stringContaining('offline_access') })
    const values = await Promise.all(nodes.map(async ({ tokens }) => (await tokens.user(ANN).get()).value))
    expect(new Set(values).size).toBe(1)
    expect(await whoami(world, values[0] ?? '')).toMatchObject({ code: 0, data: { user_id: ANN } })
    expect(requests(world)).toBe(1)
    expect(first.tokens.user(ANN).peek()?.value).toBe(values[0])
    expect(first.tokens.user(ANN)).toBe(first.tokens.user(ANN))
  })

  test('of a custom app needs neither ticket nor app token', async () => {
    const world = await createWorld({ appType: 'custom' })
    const node = world.node()
    await authorize(world, node)
    expect(await whoami(world, (await node.tokens.user(ANN).get()).value)).toMatchObject({ code: 0 })
    expect(world.simulator.counters().requests.app_access_token_internal).toBe(0)
  })

  test('is refreshed once for all nodes, time and again, and no refresh token is sent twice', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node(), world.node()]
    await authorize(world, nodes[0] as Node)
    // Each refresh comes two to five minutes before its round ends: after thirty rounds one more may have come.
    for (let round = 1; round <= 24; round += 1) {
      await pass(world.clock, HOUR + 55 * MINUTE)
      const values = await Promise.all(nodes.map(async ({ tokens }) => (await tokens.user(ANN).get()).value))
      await quiet()
      noted(world)
      expect(values.map((value) => world.simulator.judge(value))).toEqual(values.map(() => 'valid'))
      expect(world.simulator.login(world.appId, ANN)?.rotations, `round ${round}`).toBe(round)
    }
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
    expect(world.simulator.logins(world.appId)).toHaveLength(1)
  })

  test('whose tokens ended while nobody asked is refreshed by the next who asks, also in a new process', async () => {
    const world = await createWorld()
    await authorize(world, world.node())
    await pass(world.clock, 6 * DAY)
    const { tokens } = world.node()
    expect(world.simulator.judge((await tokens.user(ANN).get()).value)).toBe('valid')
    expect(requests(world)).toBe(2)
  })

  test('whose refresh token has ended has to authorise again, which is found out with one request', async () => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node)
    await pass(world.clock, 8 * DAY)
    const error = await failure(node.tokens.user(ANN).get())
    expect(error).toMatchObject({ code: 'REAUTHORIZATION_REQUIRED', retryable: false, upstream: { code: 20037 } })
    expect(await failure(world.node().tokens.user(ANN).get())).toMatchObject({
      code: 'REAUTHORIZATION_REQUIRED',
      upstream: { code: 20037 },
    })
    expect(requests(world)).toBe(2)
    await authorize(world, node)
    expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
  })

  test('without the scope offline_access is served as long as the token lives', async () => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node, ANN, 'contact:contact.base:readonly')
    await pass(world.clock, 2 * HOUR - 2 * MINUTE)
    expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
    await pass(world.clock, 3 * MINUTE)
    const error = await failure(node.tokens.user(ANN).get())
    expect(error.code).toBe('REAUTHORIZATION_REQUIRED')
    expect(error.message).toContain('offline_access')
    expect(requests(world)).toBe(1)
  })

  test('who never authorised costs the upstream nothing', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()]
    for (const { tokens } of nodes) {
      const errors = await Promise.all(Array.from({ length: 50 }, () => failure(tokens.user(ANN).get())))
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['REAUTHORIZATION_REQUIRED']))
    }
    expect(requests(world)).toBe(0)
  })

  test('who has just authorised elsewhere is served by a node that has just said that nobody has, also without hints', async () => {
    const world = await createWorld()
    const deaf = flaky(world.store, world.clock)
    deaf.loseHints()
    const [one, other] = [world.node(), world.node({ store: deaf })]
    expect((await failure(other.tokens.user(ANN).get())).code).toBe('REAUTHORIZATION_REQUIRED')
    await pass(world.clock, 1)
    await authorize(world, one)
    expect(world.simulator.judge((await other.tokens.user(ANN).get()).value)).toBe('valid')
  })

  test('who authorises again replaces the first login everywhere', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    const old = await other.tokens.user(ANN).get()
    await authorize(world, one)
    const now = await one.tokens.user(ANN).get()
    expect(now.value).not.toBe(old.value)
    await quiet()
    await other.tokens.user(ANN).get()
    await quiet()
    expect((await other.tokens.user(ANN).get()).value).toBe(now.value)
  })

  test('is not served with what turns out to be rejected while he waits to authorise, also without hints', async () => {
    const world = await createWorld()
    const deaf = flaky(world.store, world.clock)
    deaf.loseHints()
    const [one, other] = [world.node(), world.node({ store: deaf })]
    await authorize(world, one)
    const token = await other.tokens.user(ANN).get()
    const held = world.simulator.fault(OAUTH, { kind: 'hang' }, { times: 1 })
    // Fetched again at once, under a lease that the authorisation has to wait for.
    const asked = world.simulator.next('held')
    await one.tokens.user(ANN).reject(token)
    const served = one.tokens.user(ANN).get()
    await asked
    expect(other.tokens.user(ANN).peek()?.value).toBe(token.value)
    const authorizing = other.tokens.user(ANN).authorize({ code: secret(world.simulator.issueCode(world.appId, ANN), 'code') })
    await quiet()
    expect(other.tokens.user(ANN).peek()).toBeUndefined()
    held.release()
    await served
    await pass(world.clock, 1_000)
    await authorizing
    noted(world)
  })

  test('with a code that is no good keeps what was there', async () => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node)
    const error = await failure(node.tokens.user(ANN).authorize({ code: secret('code-of-somebody', 'code') }))
    expect(error).toMatchObject({ code: 'REAUTHORIZATION_REQUIRED', upstream: { code: 20003 } })
    expect(error.message).toContain('authorisation page')
    await untilDue(world)
    expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
    await quiet()
    expect(world.simulator.login(world.appId, ANN)?.rotations).toBe(1)
  })

  test('authorises while another node refreshes what he had before', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const served = other.tokens.user(ANN).get()
    await world.simulator.next('held')
    const code = secret(world.simulator.issueCode(world.appId, ANN), 'code')
    const authorizing = watched(one.tokens.user(ANN).authorize({ code }))
    await pass(world.clock, 1_000)
    expect(authorizing.outcome).toBe('pending')
    held.release()
    await served
    await pass(world.clock, 1_000)
    await authorizing.promise
    const { accessToken } = world.simulator.login(world.appId, ANN) ?? {}
    expect((await one.tokens.user(ANN).get()).value).toBe(accessToken)
    await quiet()
    await other.tokens.user(ANN).get()
    await quiet()
    expect((await other.tokens.user(ANN).get()).value).toBe(accessToken)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test.each([[''], [' with offline_access']])(
    'authorises while others report what he had before as refused, and is served by it%s',
    async (more) => {
      const scope = more === '' ? 'contact:contact.base:readonly' : undefined
      const world = await createWorld()
      const [one, other] = [world.node(), world.node()]
      await authorize(world, one, ANN, scope)
      const refused = await other.tokens.user(ANN).get()
      const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
      const code = secret(world.simulator.issueCode(world.appId, ANN, scope === undefined ? {} : { scope }), 'code')
      const authorizing = watched(one.tokens.user(ANN).authorize({ code }))
      await world.simulator.next('held')
      await other.tokens.user(ANN).reject(refused)
      held.release()
      await pass(world.clock, 1_000)
      await authorizing.promise
      await quiet()
      for (const { tokens } of [one, other]) expect(world.simulator.judge((await tokens.user(ANN).get()).value)).toBe('valid')
      expect(world.simulator.presentedTwice(world.appId)).toEqual([])
    },
  )

  test.each([[''], ['x'.repeat(65)], ['\ud800'], [7 as never]])('cannot be called %j', async (userId) => {
    const { tokens } = (await createWorld()).node()
    expect(() => tokens.user(userId)).toThrow(/userId/)
  })

  test.each([
    [{ code: '' }, /code: expected/],
    [{ code: 'c', redirectUri: 7 as never }, /redirectUri: expected/],
    [{ code: 'c', state: 'x' } as never, /no option "state"/],
  ])('cannot authorise with %j', async (given, message) => {
    const { tokens } = (await createWorld()).node()
    await expect(tokens.user(ANN).authorize(given)).rejects.toThrow(message)
  })
})

describe('a user who authorises while the machine sleeps', () => {
  /** A node whose machine sleeps for so long while the code is exchanged, having known an earlier login; the exchange's reply is yet to come. */
  async function asleep(sleptMs: number) {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const authorizing = watched(one.tokens.user(ANN).authorize({ code: secret(world.simulator.issueCode(world.appId, ANN), 'code') }))
    await world.simulator.next('held')
    const { accessToken } = world.simulator.login(world.appId, ANN) ?? {}
    world.suspend(sleptMs)
    const stored = async () => {
      noted(world)
      const [snapshot] = await world.store.read([`tokenwell/${one.tokens.user(ANN).key}`], { signal: new AbortController().signal })
      return { ...snapshot, access: JSON.parse(snapshot?.value ?? '').access }
    }
    return { world, one, other, held, authorizing, accessToken, stored }
  }

  test('has a login that ends when its tokens do, though it replaces what another has refreshed meanwhile', async () => {
    const sleptMs = LEASE + 5_000
    const { world, other, held, authorizing, accessToken, stored } = await asleep(sleptMs)
    const refreshed = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, userPolicy.takeoverDelayMs)
    expect((await refreshed.promise).value).not.toBe(accessToken)
    held.release()
    await pass(world.clock, 1_000)
    await authorizing.promise
    const { access, expiresInMs } = await stored()
    expect(access).toBe(accessToken)
    expect(expiresInMs).toBeLessThanOrEqual(2 * HOUR - sleptMs)
    expect(expiresInMs).toBeGreaterThan(2 * HOUR - sleptMs - 10_000)
  })

  test('keeps the login that he has given on another node since, and is told', async () => {
    const { world, one, other, held, authorizing, accessToken, stored } = await asleep(HOUR)
    await authorize(world, other)
    const { value } = await other.tokens.user(ANN).get()
    expect(value).not.toBe(accessToken)
    held.release()
    const error = failure(authorizing.promise)
    await pass(world.clock, 1_000)
    expect(await error).toMatchObject({ code: 'TIMEOUT', retryable: false })
    const { access, lease } = await stored()
    expect({ access, lease }).toEqual({ access: value, lease: undefined })
    expect((await one.tokens.user(ANN).get()).value).toBe(value)
  })

  test('has that login all the same where there has been no other', async () => {
    const { world, other, held, authorizing, accessToken, stored } = await asleep(HOUR)
    held.release()
    await pass(world.clock, 1_000)
    await authorizing.promise
    expect((await stored()).access).toBe(accessToken)
    await pass(world.clock, HOUR)
    expect(world.simulator.judge((await other.tokens.user(ANN).get()).value)).toBe('valid')
  })
})

describe('a user whose token is refused', () => {
  test('gets another, once for the fleet, and not again for a minute', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await other.tokens.user(ANN).get()
    world.simulator.revokeUser(world.appId, ANN, 'access-token')
    const replies = await Promise.all([one, other].map(({ tokens }) => tokens.user(ANN).use(({ value }) => whoami(world, value))))
    expect(replies).toMatchObject([{ code: 0 }, { code: 0 }])
    expect(requests(world)).toBe(2)
    // A caller who is mistaken, or an API that is: every refresh would bring another token.
    for (let call = 0; call < 20; call += 1) await one.tokens.user(ANN).use(async () => ({ code: 99991668 }))
    expect(requests(world)).toBe(2)
    await pass(world.clock, 61_000)
    await one.tokens.user(ANN).use(async () => ({ code: 99991668 }))
    expect(requests(world)).toBe(3)
  })

  test('and whose login was revoked has to authorise again', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    world.simulator.revokeUser(world.appId, ANN, 'login')
    const error = await failure(one.tokens.user(ANN).use(({ value }) => whoami(world, value)))
    expect(error).toMatchObject({ code: 'REAUTHORIZATION_REQUIRED', upstream: { code: 20064 } })
    expect(await failure(other.tokens.user(ANN).get())).toMatchObject({ code: 'REAUTHORIZATION_REQUIRED', upstream: { code: 20064 } })
    expect(requests(world)).toBe(2)
    await authorize(world, other)
    expect(await one.tokens.user(ANN).use(({ value }) => whoami(world, value))).toMatchObject({ code: 0 })
  })
})

describe('forgetting a user', () => {
  test('takes the tokens from every node and from the store', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await other.tokens.user(ANN).get()
    await one.tokens.user(ANN).forget()
    expect(one.tokens.user(ANN).peek()).toBeUndefined()
    const forgotten = await failure(one.tokens.user(ANN).get())
    expect(forgotten.code).toBe('REAUTHORIZATION_REQUIRED')
    expect(forgotten.message).toContain('was forgotten')
    await quiet()
    // What it has in memory is served once more while the record is read.
    await other.tokens.user(ANN).get()
    await quiet()
    expect((await failure(other.tokens.user(ANN).get())).code).toBe('REAUTHORIZATION_REQUIRED')
    const [snapshot] = await world.store.read([`tokenwell/${one.tokens.user(ANN).key}`], { signal: new AbortController().signal })
    expect(JSON.parse(snapshot?.value ?? '')).toEqual({ access: '', outlivesMs: 0 })
    expect(requests(world)).toBe(1)
    await authorize(world, other)
    expect(world.simulator.judge((await one.tokens.user(ANN).get()).value)).toBe('valid')
  })

  test('serves nobody what is left of the login, at no moment', async () => {
    const world = await createWorld()
    const stuck = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store: stuck }), world.node()]
    await authorize(world, one)
    // Overwritten, and not yet rejected.
    stuck.always('invalidate', { kind: 'throw' })
    expect((await failure(one.tokens.user(ANN).forget())).code).toBe('STORE_UNAVAILABLE')
    expect((await failure(other.tokens.user(ANN).get())).code).toBe('REAUTHORIZATION_REQUIRED')
  })

  test('of whom nothing is known does no harm', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.user(ANN).forget()
    await tokens.user(ANN).forget()
    expect((await failure(tokens.user(ANN).get())).code).toBe('REAUTHORIZATION_REQUIRED')
  })
})

describe('the users whose authorisation ends', () => {
  test('are listed, soonest first', async () => {
    const world = await createWorld()
    const node = world.node()
    for (const userId of ['early', 'late', 'brief', 'gone', 'revoked']) {
      await authorize(world, node, userId, userId === 'brief' ? 'contact:contact.base:readonly' : undefined)
      await pass(world.clock, 5 * MINUTE)
    }
    await node.tokens.user('gone').forget()
    world.simulator.revokeUser(world.appId, 'revoked', 'login')
    await failure(node.tokens.user('revoked').use(({ value }) => whoami(world, value)))
    const all = ['late', 'never', 'gone', 'early', 'revoked', 'brief', 'early']
    const list = (withDays?: number) => node.tokens.expiringAuthorizations(all, withDays === undefined ? {} : { withinDays: withDays })
    expect((await list(7)).map(({ userId, endsInMs }) => [userId, Math.round(endsInMs / MINUTE)])).toEqual([
      ['never', 0],
      ['gone', 0],
      ['revoked', 0],
      ['brief', 2 * 60 - 15],
      ['early', 7 * 24 * 60 - 25],
      ['late', 7 * 24 * 60 - 20],
    ])
    expect((await list()).map(({ userId }) => userId)).toEqual(['never', 'gone', 'revoked', 'brief'])
    expect((await list(0)).map(({ userId }) => userId)).toEqual(['never', 'gone', 'revoked'])
    // Two days later the access tokens have long ended, which says nothing about the logins.
    await pass(world.clock, 2 * DAY)
    await node.tokens.user('late').get()
    expect((await list(5)).map(({ userId }) => userId)).toEqual(['never', 'gone', 'revoked', 'brief', 'early'])
    expect((await list(5)).at(-1)).toMatchObject({ userId: 'early', scope: expect.stringContaining('offline_access') })
  })

  test('are given by their names, and not by the characters of one', async () => {
    const { tokens } = (await createWorld()).node()
    await expect(tokens.expiringAuthorizations(ANN)).rejects.toThrow('userIds: expected an array')
  })

  test('are read many at a time, and not at all without the store', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const { tokens } = world.node({ store })
    const many = Array.from({ length: 450 }, (_, index) => `user-${index}`)
    expect(await tokens.expiringAuthorizations(many)).toHaveLength(450)
    expect(store.calls.filter(({ operation }) => operation === 'read')).toHaveLength(3)
    store.always('all', { kind: 'throw' })
    expect((await failure(tokens.expiringAuthorizations(many))).code).toBe('STORE_UNAVAILABLE')
    await expect(tokens.expiringAuthorizations(many, { withinDays: -1 })).rejects.toThrow('withinDays')
  })
})

describe('a refresh whose outcome nobody knows', () => {
  test('that never reached the upstream costs a wait, not the login', async () => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node)
    await pass(world.clock, 3 * HOUR)
    world.simulator.fault(OAUTH, { kind: 'reset' }, { times: 1 })
    const served = watched(node.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await eventually(() => node.events.some(({ type }) => type === 'outcome-unknown'))
    await pass(world.clock, LEASE - 100)
    // Another one under way to the same end, and it would be the second use of one refresh token.
    expect(requests(world)).toBe(2)
    await pass(world.clock, userPolicy.takeoverDelayMs + 500)
    expect(world.simulator.judge((await served.promise).value)).toBe('valid')
    expect(requests(world)).toBe(3)
    expect(node.events.filter(({ type }) => type === 'granted').at(-1)).toMatchObject({ takeover: true })
    expect(world.simulator.login(world.appId, ANN)?.isAlive).toBe(true)
  })

  test('that was carried out and never answered ends the login, and says so', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    world.simulator.fault(OAUTH, { kind: 'reset', at: 'reply' }, { times: 1 })
    const answers = [one, other].map(({ tokens }) => failure(tokens.user(ANN).get({ timeoutMs: 60_000 })))
    await quiet()
    await pass(world.clock, LEASE + userPolicy.takeoverDelayMs + 1_000)
    for (const error of await Promise.all(answers)) {
      expect(error).toMatchObject({ code: 'REAUTHORIZATION_REQUIRED', upstream: { code: 20073 } })
    }
    const [twice] = world.simulator.presentedTwice(world.appId)
    const [first, second] = twice?.presentations ?? []
    expect((second?.receivedAtMs ?? 0) - (first?.receivedAtMs ?? 0)).toBeGreaterThanOrEqual(LEASE + userPolicy.takeoverDelayMs - 500)
  })

  test.each([[undefined], [0], ['7200'], [90_000]])(
    'the life %j of what it has brought, keeps that: there is nothing else',
    async (value) => {
      const world = await createWorld()
      const node = world.node()
      await authorize(world, node)
      await pass(world.clock, 3 * HOUR)
      world.simulator.fault(OAUTH, { kind: 'expire', ...(value !== undefined && { value }) }, { times: 1 })
      expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
      await pass(world.clock, 25 * HOUR)
      expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
      expect(world.simulator.presentedTwice(world.appId)).toEqual([])
    },
  )

  test('is waited for within the bound of each caller, who learns why', async () => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node)
    await pass(world.clock, 3 * HOUR)
    world.simulator.fault(OAUTH, { kind: 'reset' }, { times: 1 })
    const answer = failure(node.tokens.user(ANN).get({ timeoutMs: 5_000 }))
    await eventually(() => node.events.some(({ type }) => type === 'outcome-unknown'))
    await pass(world.clock, 5_000)
    const error = await answer
    expect(error.code).toBe('TIMEOUT')
    expect(error.cause).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  })

  test.each([
    ['a page of a gateway', { kind: 'html', status: 502 } as const],
    ['a reply cut short', { kind: 'truncated' } as const],
    ['code 0 and no token', { kind: 'missing-token', field: 'access_token' } as const],
  ])('because of %s, is not repeated at once', async (_, fault) => {
    const world = await createWorld()
    const node = world.node()
    await authorize(world, node)
    await pass(world.clock, 3 * HOUR)
    world.simulator.fault(OAUTH, fault, { times: 1 })
    const answer = watched(node.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await eventually(() => node.events.some(({ type }) => type === 'outcome-unknown'))
    await pass(world.clock, LEASE - 500)
    expect(requests(world)).toBe(2)
    await pass(world.clock, userPolicy.takeoverDelayMs + 1_500)
    await answer.promise.catch(() => {})
    expect(requests(world)).toBe(3)
  })

  test('is no matter where the upstream was not reached, or said no: the next try comes after a backoff', async () => {
    const world = await createWorld()
    const { simulator } = world
    const node = world.node()
    await authorize(world, node)
    await pass(world.clock, 3 * HOUR)
    simulator.fault(OAUTH, { kind: 'rate-limit', resetSeconds: 2 }, { times: 1 })
    const served = watched(node.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await eventually(() => node.events.some(({ type }) => type === 'backoff'))
    await pass(world.clock, 3_000)
    expect(simulator.judge((await served.promise).value)).toBe('valid')
    expect(node.events.some(({ type }) => type === 'outcome-unknown')).toBe(false)
  })
})

describe('taking over', () => {
  /** A node that has refreshed, and whose publication hangs, with its lease about to end. */
  async function stuck() {
    const world = await createWorld({ behaviour: { refreshReuse: 'refuse' } })
    const store = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    store.always('publish', { kind: 'throw' })
    const { value } = await one.tokens.user(ANN).get()
    expect(world.simulator.judge(value)).toBe('valid')
    return { world, store, one, other, value }
  }

  /** The lease on the login that this node knows, in the hands of nobody. */
  async function claimAndVanish({ store }: World, { tokens }: Node): Promise<void> {
    await store.claim(
      `tokenwell/${tokens.user(ANN).key}`,
      'of a process that is no more',
      { leaseMs: LEASE, seen: 0, rejected: 0 },
      { signal: new AbortController().signal },
    )
  }

  test('looks again before it uses what may be used up', async () => {
    const { world, store, other, value } = await stuck()
    const served = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE)
    await eventually(() => other.events.some((event) => event.type === 'granted' && event.takeover))
    store.restore()
    await pass(world.clock, 30_000)
    expect((await served.promise).value).toBe(value)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('finds out from a refusal that somebody was there before, and goes on with what that one has published', async () => {
    const { world, store, one, other, value } = await stuck()
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const served = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await quiet()
    const presented = world.simulator.next('held')
    await pass(world.clock, LEASE + userPolicy.takeoverDelayMs + 200)
    await presented
    store.restore()
    await pass(world.clock, 5_000)
    expect(one.tokens.status().find(({ key }) => key.includes('user'))).toMatchObject({ unpublished: false })
    held.release()
    await quiet()
    expect((await served.promise).value).toBe(value)
    expect(world.simulator.login(world.appId, ANN)?.isAlive).toBe(true)
  })

  test('from a holder that died before its request costs nothing but time', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    await claimAndVanish(world, one)
    const served = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE + userPolicy.takeoverDelayMs + 500)
    expect(world.simulator.judge((await served.promise).value)).toBe('valid')
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('by a process whose machine then sleeps sends nothing under a lease that another may have by now', async () => {
    const world = await createWorld()
    const [one, other, third] = [world.node(), world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    await claimAndVanish(world, one)
    const served = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE)
    await eventually(() => other.events.some((event) => event.type === 'granted' && event.takeover))
    await pass(world.clock, 500)
    world.suspend(LEASE)
    const another = watched(third.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await eventually(() => third.events.some((event) => event.type === 'granted' && event.takeover))
    // The other has waited for long enough, by a clock that stood still, and this one not yet.
    await pass(world.clock, userPolicy.takeoverDelayMs - 100)
    expect(requests(world)).toBe(1)
    await pass(world.clock, 3_000)
    const { accessToken } = world.simulator.login(world.appId, ANN) ?? {}
    for (const { promise } of [served, another]) expect((await promise).value).toBe(accessToken)
    expect(requests(world)).toBe(2)
  })

  test('by a process that then closes leaves the warning for the next', async () => {
    const { world, store, one, other } = await stuck()
    const third = world.node()
    const given = failure(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE)
    await eventually(() => other.events.some((event) => event.type === 'granted' && event.takeover))
    await other.manager.close()
    expect((await given).code).toBe('CLOSED')
    const served = watched(third.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE)
    await eventually(() => third.events.some((event) => event.type === 'granted' && event.takeover))
    store.restore()
    await pass(world.clock, 30_000)
    expect((await served.promise).value).toBe((await one.tokens.user(ANN).get()).value)
  })
})

describe('without the store', () => {
  test('nobody refreshes, and nobody hangs', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const node = world.node({ store })
    await authorize(world, node)
    store.always('all', { kind: 'throw' })
    await pass(world.clock, HOUR + 55 * MINUTE)
    // Due, and still alive.
    expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
    await pass(world.clock, 6 * MINUTE)
    const answer = failure(node.tokens.user(ANN).get())
    await pass(world.clock, 15_000)
    expect((await answer).code).toBe('STORE_UNAVAILABLE')
    expect(requests(world)).toBe(1)
    store.restore()
    const served = watched(node.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, 40_000)
    expect(world.simulator.judge((await served.promise).value)).toBe('valid')
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('nobody authorises, and the code is still good afterwards', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const { tokens } = world.node({ store })
    store.always('claim', { kind: 'throw' })
    const code = secret(world.simulator.issueCode(world.appId, ANN), 'code')
    expect((await failure(tokens.user(ANN).authorize({ code }))).code).toBe('STORE_UNAVAILABLE')
    store.restore()
    await tokens.user(ANN).authorize({ code })
    expect(world.simulator.judge((await tokens.user(ANN).get()).value)).toBe('valid')
  })

  test('an authorisation that was granted is stored as soon as it can be', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store }), world.node()]
    store.always('publish', { kind: 'throw' })
    const authorizing = authorize(world, one)
    await pass(world.clock, 5_000)
    store.restore()
    await pass(world.clock, 1_000)
    await authorizing
    expect(world.simulator.judge((await other.tokens.user(ANN).get()).value)).toBe('valid')
  })

  test('an authorisation that was stored without an answer does not bring back what another has used up since', async () => {
    const world = await createWorld()
    let isAnswered = false
    const store: typeof world.store = {
      ...world.store,
      async publish(...given) {
        const publication = await world.store.publish(...given)
        if (!isAnswered) throw new Error('the answer is lost')
        return publication
      },
    }
    const [one, other] = [world.node({ store }), world.node()]
    const authorizing = authorize(world, one)
    await eventually(() => requests(world) === 1)
    await quiet()
    await other.tokens.user(ANN).reject(await other.tokens.user(ANN).get())
    await other.tokens.user(ANN).get()
    await quiet()
    isAnswered = true
    await pass(world.clock, 1_000)
    await authorizing
    await pass(world.clock, 3 * HOUR)
    expect(world.simulator.judge((await other.tokens.user(ANN).get()).value)).toBe('valid')
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('an authorisation that cannot be stored fails, and says what that means', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const { tokens } = world.node({ store })
    store.always('publish', { kind: 'throw' })
    const code = secret(world.simulator.issueCode(world.appId, ANN), 'code')
    const answer = failure(tokens.user(ANN).authorize({ code }))
    await pass(world.clock, 20_000)
    expect(await answer).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false })
  })

  test('what a refresh has brought is kept until the store has it, beyond the end of the token', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    store.always('publish', { kind: 'throw' })
    await one.tokens.user(ANN).get()
    await pass(world.clock, 3 * HOUR)
    expect(requests(world)).toBe(2)
    store.restore()
    await pass(world.clock, MINUTE)
    const served = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, 20_000)
    expect(world.simulator.judge((await served.promise).value)).toBe('valid')
    expect(world.simulator.login(world.appId, ANN)?.rotations).toBe(2)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('that has lost its data, a process goes on with the refresh token it knows', async () => {
    const world = await createWorld()
    const node = world.node(withChance(0.5))
    await authorize(world, node)
    const key = `tokenwell/${node.tokens.user(ANN).key}`
    const operation = { signal: new AbortController().signal }
    await untilDue(world)
    await node.tokens.user(ANN).get()
    await quiet()
    expect(world.simulator.login(world.appId, ANN)?.rotations).toBe(1)
    // As after a failover: the record as it was before the refresh.
    const [now] = await world.store.read([key], operation)
    const older = memoryStore({ clock: world.clock })
    const fence = (now?.version ?? 0) - 1
    const stale = JSON.stringify({ access: 'u-old', refresh: 'r-old', outlivesMs: 1 })
    await older.publish(key, 'before', fence, { value: stale, renewInMs: 1, expiresInMs: 2 }, operation)
    Object.assign(world.store, { read: older.read, claim: older.claim, publish: older.publish, settle: older.settle })
    await pass(world.clock, 3 * HOUR)
    expect(world.simulator.judge((await node.tokens.user(ANN).get()).value)).toBe('valid')
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
    await quiet()
    expect((await older.read([key], operation))[0]?.version).toBeGreaterThan(now?.version ?? 0)
  })
})

describe('closing', () => {
  test('waits for a refresh that is under way, and for its publication', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const answer = failure(one.tokens.user(ANN).get())
    await world.simulator.next('held')
    const closing = watched(one.manager.close())
    expect((await answer).code).toBe('CLOSED')
    await quiet()
    expect(closing.outcome).toBe('pending')
    held.release()
    await closing.promise
    await other.tokens.user(ANN).get()
    expect(requests(world)).toBe(2)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('with a grace goes on trying to publish', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    store.always('publish', { kind: 'throw' })
    const { value } = await one.tokens.user(ANN).get()
    await quiet()
    const closing = watched(one.manager.close({ graceMs: 30_000 }))
    await pass(world.clock, 5_000)
    expect(closing.outcome).toBe('pending')
    store.restore()
    await pass(world.clock, 20_000)
    await closing.promise
    expect((await other.tokens.user(ANN).get()).value).toBe(value)
  })
})

describe('sealed', () => {
  const keys = { a: Buffer.alloc(32, 1).toString('base64'), b: Buffer.alloc(32, 2).toString('base64') }

  test('a login is left alone by a process that cannot read it, which says so', async () => {
    const world = await createWorld()
    const [one, other] = [
      world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }),
      world.node({ manager: { encryption: { keys: { b: keys.b }, sealWith: 'b' } } }),
    ]
    await authorize(world, one)
    const error = await failure(other.tokens.user(ANN).get())
    expect(error).toMatchObject({ code: 'RECORD_UNREADABLE', retryable: false })
    expect(requests(world)).toBe(1)
    await untilDue(world)
    expect(world.simulator.judge((await one.tokens.user(ANN).get()).value)).toBe('valid')
    await quiet()
    expect(world.simulator.login(world.appId, ANN)?.rotations).toBe(1)
  })

  test('it is not listed as one that has ended by a process that cannot read it', async () => {
    const world = await createWorld()
    const [one, other] = [
      world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }),
      world.node({ manager: { encryption: { keys: { b: keys.b }, sealWith: 'b' } } }),
    ]
    await authorize(world, one)
    expect(await one.tokens.expiringAuthorizations([ANN])).toEqual([])
    expect(await failure(other.tokens.expiringAuthorizations(['nobody', ANN]))).toMatchObject({ code: 'RECORD_UNREADABLE' })
    expect(await other.tokens.expiringAuthorizations(['nobody'])).toHaveLength(1)
  })

  test('nor is it held back by a process that knows nothing of encryption', async () => {
    const world = await createWorld()
    const [one, other] = [world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    expect(await failure(other.tokens.user(ANN).get())).toMatchObject({ code: 'RECORD_UNREADABLE', retryable: false })
    expect(requests(world)).toBe(1)
    expect(world.simulator.judge((await one.tokens.user(ANN).get()).value)).toBe('valid')
  })
})
