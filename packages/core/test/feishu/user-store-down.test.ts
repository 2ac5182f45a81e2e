import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { secret } from '../../../../tools/leak-search/index.ts'
import { ANN, authorize, failure, LEASE, noted, requests, untilDue } from '../support/user-world.ts'
import { createWorld, eventually, HOUR, MINUTE, pass, quiet, watched, withChance } from '../support/world.ts'

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

  test('nor when another has used it up longer after the grant than a lease', async () => {
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
    const answer = failure(authorize(world, one))
    await eventually(() => requests(world) === 1)
    await quiet()
    await pass(world.clock, LEASE)
    await other.tokens.user(ANN).reject(await other.tokens.user(ANN).get())
    await other.tokens.user(ANN).get()
    await quiet()
    isAnswered = true
    await pass(world.clock, 3_000)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', retryable: false, message: expect.stringContaining('was overtaken') })
    noted(world)
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
