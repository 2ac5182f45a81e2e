import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { secret } from '../../../../tools/leak-search/index.ts'
import { ANN, authorize, DAY, failure, noted, OAUTH, requests, untilDue, whoami } from '../support/user-world.ts'
import { createWorld, HOUR, MINUTE, type Node, pass, quiet, watched } from '../support/world.ts'

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

  test.each(['before the lease was granted', 'while the code is exchanged, in vain'])(
    'is not served with what was rejected %s, also without hints',
    async (when) => {
      const world = await createWorld()
      const deaf = flaky(world.store, world.clock)
      deaf.loseHints()
      const { tokens } = world.node({ store: deaf })
      await authorize(world, world.node())
      const { version } = await tokens.user(ANN).get()
      const reject = () => world.store.invalidate(`tokenwell/${tokens.user(ANN).key}`, version, { signal: new AbortController().signal })
      const isBefore = when.startsWith('before')
      if (isBefore) await reject()
      const held = world.simulator.fault(OAUTH, { kind: 'hang' }, { times: 1 })
      const asked = world.simulator.next('held')
      const code = isBefore ? world.simulator.issueCode(world.appId, ANN) : 'code-of-somebody'
      const authorizing = watched(tokens.user(ANN).authorize({ code: secret(code, 'code') }))
      await asked
      if (isBefore) expect(tokens.user(ANN).peek()).toBeUndefined()
      else await reject()
      held.release()
      await authorizing.promise.catch(() => {})
      expect(authorizing.outcome).toBe(isBefore ? 'resolved' : 'rejected')
      if (!isBefore) expect(tokens.user(ANN).peek()).toBeUndefined()
      noted(world)
    },
  )

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

  test('is not served with what the store says is rejected when it stores the next, though it says nothing after that', async () => {
    const world = await createWorld()
    const deaf = flaky(world.store, world.clock)
    deaf.loseHints()
    const [one, other] = [world.node({ store: deaf }), world.node()]
    await authorize(world, one)
    const refused = await other.tokens.user(ANN).get()
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const asked = world.simulator.next('held')
    const authorizing = one.tokens.user(ANN).authorize({ code: secret(world.simulator.issueCode(world.appId, ANN), 'code') })
    await asked
    await other.tokens.user(ANN).reject(refused)
    expect(one.tokens.user(ANN).peek()?.value).toBe(refused.value)
    deaf.always('read', { kind: 'throw' })
    held.release()
    await authorizing
    noted(world)
    expect(one.tokens.user(ANN).peek()).toBeUndefined()
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
