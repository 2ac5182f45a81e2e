import type { Token } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'
import { secret } from '../../../../tools/leak-search/index.ts'
import {
  callApi,
  createWorld,
  HOUR,
  MINT,
  MINUTE,
  type Node,
  pass,
  quiet,
  settlesInOneTurn,
  type World,
  watched,
  withChance,
} from '../support/world.ts'

const DEAD = 99991664

/** A node with a token that both it and the platform think good. */
async function warm(world: World): Promise<{ node: Node; token: Token }> {
  const node = world.node(withChance(0))
  const token = await node.tokens.app.get()
  secret(token.value, 'app token')
  await quiet()
  return { node, token }
}

const call = (world: World) => (token: Token) => callApi(world, token.value)

describe('a token that the platform revoked', () => {
  test('is found out by the first call, fetched again once, and the call is made once more', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    const seen: Token[] = []
    const reply = await node.tokens.app.use((each) => {
      seen.push(each)
      return callApi(world, each.value)
    })
    expect(reply.code).toBe(0)
    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(token)
    expect(seen[1]?.version).toBeGreaterThan(token.version)
    expect(world.mints()).toBe(2)
    expect(world.simulator.counters().requests.api).toBe(2)
    expect(node.events.filter(({ type }) => type === 'rejected')).toHaveLength(1)
  })

  test('and is reported by 100 callers at once is fetched again once', async () => {
    const world = await createWorld()
    const { node } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    const replies = await Promise.all(Array.from({ length: 100 }, () => node.tokens.app.use(call(world))))
    expect(new Set(replies.map(({ code }) => code))).toEqual(new Set([0]))
    expect(world.mints()).toBe(2)
    expect(world.simulator.counters().requests.api).toBe(200)
  })

  test('and is reported by 100 callers of each of three nodes is fetched again once', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node(), world.node()]
    for (const { tokens } of nodes) await tokens.app.get()
    await quiet()
    world.simulator.revoke(world.appId, { next: 'new' })
    const replies = await Promise.all(nodes.flatMap(({ tokens }) => Array.from({ length: 100 }, () => tokens.app.use(call(world)))))
    expect(new Set(replies.map(({ code }) => code))).toEqual(new Set([0]))
    expect(world.mints()).toBe(2)
  })

  test('is not served to anybody once its rejection is known, while the next one is fetched', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    world.simulator.fault(MINT, { kind: 'delay', ms: 2_000 })
    await node.tokens.app.reject(token)
    expect(node.tokens.app.peek()).toBeUndefined()
    const next = watched(node.tokens.app.get())
    await pass(world.clock, 1_999)
    expect(next.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect(world.simulator.judge((await next.promise).value)).toBe('valid')
  })

  test('with the upstream down: the call’s own caller learns what is wrong with the refetch', async () => {
    const world = await createWorld()
    const { node } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
    const used = watched(node.tokens.app.use(call(world)))
    await pass(world.clock, 15_000)
    expect(used.outcome).toBe('rejected')
    const error = await used.promise.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'TokenError', retryable: true, upstream: { httpStatus: 500 } })
  })
})

describe('a report about', () => {
  test('an older token leaves the newer one alone', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    await node.tokens.app.reject(token)
    const newer = await node.tokens.app.get()
    await quiet()
    for (let round = 0; round < 10; round += 1) await node.tokens.app.reject(token)
    expect(node.tokens.app.peek()).toBe(newer)
    const again = node.tokens.app.get()
    expect(await settlesInOneTurn(again)).toBe(true)
    expect(await again).toBe(newer)
    await pass(world.clock, MINUTE)
    expect(world.mints()).toBe(2)
  })

  test('an older token, from a node that does not know the newer one, leaves that alone too', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    const old = await first.tokens.app.get()
    await second.tokens.app.get()
    await quiet()
    world.simulator.revoke(world.appId, { next: 'new' })
    await first.tokens.app.reject(old)
    const newer = await first.tokens.app.get()
    await quiet()
    await second.tokens.app.reject(old)
    expect((await second.tokens.app.get()).version).toBe(newer.version)
    expect(await first.tokens.app.get()).toBe(newer)
    await quiet()
    expect(world.mints()).toBe(2)
  })

  test('a token, made while its replacement is fetched, does not bring another fetch', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'new' })
    world.simulator.fault(MINT, { kind: 'delay', ms: 1_000 })
    await node.tokens.app.reject(token)
    await quiet()
    await Promise.all(Array.from({ length: 50 }, () => node.tokens.app.reject(token)))
    await pass(world.clock, 1_000)
    const next = await node.tokens.app.get()
    await node.tokens.app.reject(token)
    await pass(world.clock, 2 * MINUTE)
    expect(node.tokens.app.peek()).toBe(next)
    expect(world.mints()).toBe(2)
  })

  test('a token of another making changes nothing', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    await node.tokens.app.reject({ value: 'made up', version: token.version + 1_000, expiresAt: 0 })
    await node.tokens.app.reject({ value: 'made up', version: 0, expiresAt: 0 })
    expect(node.tokens.app.peek()).toBe(token)
    expect(world.mints()).toBe(1)
  })
})

describe('a token that the upstream gives out again after its rejection', () => {
  test('is vouched for: the complainer gets the call’s own answer, everyone else goes on, for one request', async () => {
    const world = await createWorld()
    const { node, token } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'same' })
    // Refused wherever it is shown, and yet all the upstream gives: as with a wrong URL or a wrong tenant.
    const calls: Token[] = []
    const reply = await node.tokens.app.use((each) => {
      calls.push(each)
      return callApi(world, each.value)
    })
    expect(reply).toMatchObject({ code: DEAD })
    expect(calls).toHaveLength(1)
    const current = await node.tokens.app.get()
    expect(current.value).toBe(token.value)
    expect(current.version).toBeGreaterThan(token.version)
    expect(world.mints()).toBe(2)
    expect(node.events.map(({ type }) => type)).toContain('vouched')
  })

  test('costs two requests a minute at most, however many complain and however often, and nobody is held up', async () => {
    const world = await createWorld()
    const nodes = [(await warm(world)).node, world.node(), world.node()]
    for (const { tokens } of nodes) await tokens.app.get()
    world.simulator.revoke(world.appId, { next: 'same' })
    const before = world.mints()
    for (let second = 0; second < 55; second += 1) {
      const complaints = nodes.flatMap(({ tokens }) => Array.from({ length: 10 }, () => tokens.app.use(call(world))))
      for (const { code } of await Promise.all(complaints)) expect(code).toBe(DEAD)
      for (const { tokens } of nodes) expect(await settlesInOneTurn(tokens.app.get())).toBe(true)
      await world.clock.advance(1_000)
    }
    expect(world.mints() - before).toBeLessThanOrEqual(2)
  })

  test('after that minute one more report brings one more request', async () => {
    const world = await createWorld()
    const { node } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'same' })
    await node.tokens.app.use(call(world))
    expect(world.mints()).toBe(2)
    await quiet()
    await pass(world.clock, 59_000)
    await node.tokens.app.use(call(world))
    expect(world.mints()).toBe(2)
    await pass(world.clock, 2_000)
    await Promise.all(Array.from({ length: 50 }, () => node.tokens.app.use(call(world))))
    await quiet()
    expect(world.mints()).toBe(3)
  })

  test('is replaced within two minutes when the upstream changes its mind', async () => {
    const world = await createWorld()
    const { node } = await warm(world)
    world.simulator.revoke(world.appId, { next: 'same' })
    await node.tokens.app.use(call(world))
    world.simulator.revoke(world.appId, { next: 'new' })
    let code = DEAD
    let waited = 0
    for (; code !== 0 && waited <= 120_000; waited += 5_000) {
      await pass(world.clock, 5_000)
      code = (await node.tokens.app.use(call(world))).code
    }
    expect(code).toBe(0)
    expect(waited).toBeLessThanOrEqual(70_000)
  })

  test('one caller’s mistake never takes a good token from the fleet', async () => {
    const world = await createWorld()
    const nodes = [(await warm(world)).node, world.node()]
    for (const { tokens } of nodes) await tokens.app.get()
    const [mistaken, right] = nodes as [Node, Node]
    const wrong = async () => ({ code: DEAD, msg: 'the call was meant for another platform' })
    for (let minute = 0; minute < 30; minute += 1) {
      expect(await mistaken.tokens.app.use(wrong)).toMatchObject({ code: DEAD })
      await quiet()
      expect((await right.tokens.app.use(call(world))).code).toBe(0)
      await pass(world.clock, MINUTE)
    }
    // Once a minute the upstream is asked whether it still stands by the token.
    expect(world.mints()).toBeLessThanOrEqual(31)
    expect(world.simulator.counters().newTokens.app).toBe(1)
  })
})

describe('two nodes', () => {
  test('a rejection on one reaches the other before its own call fails, if the other has ever had to wait', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    const [token] = await Promise.all([first, second].map(({ tokens }) => tokens.app.get()))
    await quiet()
    world.simulator.revoke(world.appId, { next: 'new' })
    expect((await first.tokens.app.use(call(world))).code).toBe(0)
    await quiet()
    // The first read after the hint may still be the old token; it has the news fetched behind it.
    await second.tokens.app.get()
    await quiet()
    const newer = await second.tokens.app.get()
    expect(newer.version).toBeGreaterThan(token?.version ?? Number.POSITIVE_INFINITY)
    expect((await second.tokens.app.use(call(world))).code).toBe(0)
    expect(world.mints()).toBe(2)
    expect(world.simulator.counters().errors).toEqual({ [DEAD]: 1 })
  })

  test('without hints the other finds out by its own first call, without a fetch of its own', async () => {
    const world = await createWorld()
    const { subscribe: _without, ...store } = world.store
    const silent = { ...store, capabilities: { ...store.capabilities, push: false } }
    const [first, second] = [world.node({ store: silent }), world.node({ store: silent })]
    for (const { tokens } of [first, second]) await tokens.app.get()
    await quiet()
    world.simulator.revoke(world.appId, { next: 'new' })
    expect((await first.tokens.app.use(call(world))).code).toBe(0)
    await quiet()
    expect((await second.tokens.app.use(call(world))).code).toBe(0)
    expect(world.mints()).toBe(2)
    expect(world.simulator.counters().errors).toEqual({ [DEAD]: 2 })
  })

  test('a rejection during the other’s fetch covers what that fetch may bring: at most one more', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(withChance(0)), world.node(withChance(0))]
    const old = await first.tokens.app.get()
    await second.tokens.app.get()
    world.simulator.fault(MINT, { kind: 'delay', ms: 1_000 })
    await pass(world.clock, 2 * HOUR - 29 * MINUTE)
    expect(world.simulator.counters().inFlight[MINT]).toBe(1)
    await second.tokens.app.reject(old)
    const callers = [first, second].map(({ tokens }) => watched(tokens.app.use(call(world))))
    await pass(world.clock, 5_000)
    for (const { outcome, promise } of callers) {
      expect(outcome).toBe('resolved')
      expect((await promise).code).toBe(0)
    }
    expect(world.mints()).toBeLessThanOrEqual(3)
    const [mine, yours] = await Promise.all([first, second].map(({ tokens }) => tokens.app.get()))
    expect(mine?.value).toBe(yours?.value)
  })

  test('20 rotations by age cost one mint each', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()]
    const values = new Set<string>()
    for (let rotation = 0; rotation < 20; rotation += 1) {
      for (let minute = 0; minute < 100; minute += 2) {
        await pass(world.clock, 2 * MINUTE)
        for (const { tokens } of nodes) {
          const { value } = await tokens.app.get()
          expect(world.simulator.judge(value)).toBe('valid')
          values.add(value)
        }
      }
    }
    // 2,000 minutes of tokens renewed 19 to 29 minutes before the end of two hours.
    expect(world.mints()).toBe(values.size)
    expect(world.mints()).toBeGreaterThanOrEqual(Math.floor(2_000 / 101))
    expect(world.mints()).toBeLessThanOrEqual(Math.ceil(2_000 / 91))
    expect(world.simulator.counters()).toMatchObject({ sameTokens: { app: 0 }, maxInFlight: { [MINT]: 1 }, errors: {} })
  })

  test('20 rotations by revocation, reported by both at once, cost one mint each', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()]
    await Promise.all(nodes.map(({ tokens }) => tokens.app.get()))
    for (let rotation = 1; rotation <= 20; rotation += 1) {
      await quiet()
      world.simulator.revoke(world.appId, { next: 'new' })
      const calls = nodes.flatMap(({ tokens }) => Array.from({ length: 20 }, () => watched(tokens.app.use(call(world)))))
      await pass(world.clock, 5_000)
      for (const { promise } of calls) expect((await promise).code).toBe(0)
      expect(world.mints()).toBe(1 + rotation)
      const [mine, yours] = await Promise.all(nodes.map(({ tokens }) => tokens.app.get()))
      expect(mine?.version).toBe(yours?.version)
      await pass(world.clock, 20_000)
    }
    expect(world.simulator.counters().newTokens.app).toBe(21)
  })
})
