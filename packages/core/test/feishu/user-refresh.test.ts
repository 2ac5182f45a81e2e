import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { ANN, authorize, failure, LEASE, OAUTH, requests } from '../support/user-world.ts'
import { createWorld, eventually, HOUR, type Node, pass, quiet, type World, watched } from '../support/world.ts'

/** Those who wait for a lease to run out do not all come at once, milliseconds. */
const SPREAD = 100

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
    await pass(world.clock, LEASE + SPREAD)
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
    await pass(world.clock, LEASE + SPREAD)
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
    await pass(world.clock, LEASE + SPREAD)
    await eventually(() => other.events.some((event) => event.type === 'granted' && event.takeover))
    await other.manager.close()
    expect((await given).code).toBe('CLOSED')
    const served = watched(third.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, LEASE + SPREAD)
    await eventually(() => third.events.some((event) => event.type === 'granted' && event.takeover))
    store.restore()
    await pass(world.clock, 30_000)
    expect((await served.promise).value).toBe((await one.tokens.user(ANN).get()).value)
  })
})
