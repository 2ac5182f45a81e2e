import { isTokenError, systemRandom, type TokenStore } from '@tokenwell/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import {
  createWorld,
  eventually,
  HOUR,
  MINT,
  MINUTE,
  type Node,
  pass,
  quiet,
  RESEND,
  recordOf,
  settlesInOneTurn,
  ticketsSent,
  type World,
} from '../support/world.ts'

type Down = 'refuses every call' | 'never answers'
const DOWN: readonly Down[] = ['refuses every call', 'never answers']
type Operation = 'read' | 'claim' | 'publish' | 'settle' | 'invalidate'

/** A way to a store that can be cut. */
interface Wire extends TokenStore {
  /** Set while the store cannot be reached. */
  down: Down | undefined
  /** The next so many calls of an operation, on keys that end so, are carried out and their replies lost. */
  lose(operation: Operation, how: Down, times: number, keyEnd?: string): void
  calls: number
}

function wireTo(inner: TokenStore): Wire {
  const lost: { readonly operation: Operation; readonly how: Down; readonly keyEnd: string }[] = []
  const hanging = new Set<(error: Error) => void>()
  const gone = (how: Down): Promise<never> =>
    new Promise((_resolve, reject) => {
      if (how === 'never answers') hanging.add(reject)
      else reject(new Error('connection lost'))
    })
  async function through<T>(operation: Operation, key: string, call: () => Promise<T>): Promise<T> {
    wire.calls += 1
    if (wire.down !== undefined) return gone(wire.down)
    const answer = await call()
    const at = lost.findIndex((each) => each.operation === operation && key.endsWith(each.keyEnd))
    const [loss] = at < 0 ? [] : lost.splice(at, 1)
    return loss === undefined ? answer : gone(loss.how)
  }
  const wire: Wire = {
    down: undefined,
    calls: 0,
    lose(operation, how, times, keyEnd = '') {
      for (let count = 0; count < times; count += 1) lost.push({ operation, how, keyEnd })
    },
    contractVersion: 1,
    capabilities: inner.capabilities,
    read: (keys, operation) => through('read', keys[0] ?? '', () => inner.read(keys, operation)),
    claim: (key, ...rest) => through('claim', key, () => inner.claim(key, ...rest)),
    publish: (key, ...rest) => through('publish', key, () => inner.publish(key, ...rest)),
    settle: (key, ...rest) => through('settle', key, () => inner.settle(key, ...rest)),
    invalidate: (key, ...rest) => through('invalidate', key, () => inner.invalidate(key, ...rest)),
    async subscribe(listener) {
      if (wire.down !== undefined) return gone(wire.down)
      return (await inner.subscribe?.(listener)) ?? (async () => {})
    },
    close: () => inner.close(),
  }
  // The clock stands still when the test is over: what hangs would hang on.
  onTestFinished(() => {
    wire.down = undefined
    for (const reject of hanging) reject(new Error('the test is over'))
  })
  return wire
}

/** A node that has been given a ticket itself. */
async function informed(world: World, store: TokenStore): Promise<Node> {
  const node = world.node({ store })
  const ticket = secret(world.simulator.issueTicket(world.appId), 'app ticket')
  await node.tokens.acceptAppTicket({ ticket, eventTime: new Date(world.clock.wall()) })
  return node
}

/** The longest a store operation takes, its repeat included. */
const STORE_BOUND_MS = 2_000
/** Probes of a store that is down are at most this far apart. */
const PROBE_MS = 30_000

describe.each(DOWN)('while the store %s', (down) => {
  test('a valid token is served at once until its very end', async () => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    const token = await node.tokens.appAccessToken()
    wire.down = down
    for (const minutes of [1, 60, 45, 10]) {
      await pass(world.clock, minutes * MINUTE)
      const again = node.tokens.appAccessToken()
      expect(await settlesInOneTurn(again)).toBe(true)
      expect(await again).toBe(token)
    }
    // 1 h 56 min: below the hard floor a caller may wait up to a second for something newer, and no longer.
    await pass(world.clock, 3.5 * MINUTE)
    const last = node.tokens.appAccessToken()
    await pass(world.clock, 1_000)
    expect(await last).toBe(token)
    expect(world.mints()).toBe(1)
  })

  test('a token that ends is replaced by one fetched without the store', async () => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    const token = await node.tokens.appAccessToken()
    wire.down = down
    await pass(world.clock, 2 * HOUR)
    const next = node.tokens.appAccessToken()
    await pass(world.clock, STORE_BOUND_MS)
    expect(await next).not.toBe(token)
    expect(world.simulator.judge(await next)).toBe('valid')
    expect(world.mints()).toBe(2)
  })

  test('a node that knows the ticket fetches once, and the store gets the token when it is back', async () => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = await informed(world, wire)
    wire.down = down
    const all = Promise.all(Array.from({ length: 100 }, () => node.tokens.appAccessToken()))
    await pass(world.clock, STORE_BOUND_MS)
    expect(new Set(await all).size).toBe(1)
    expect(node.tokens.status()).toMatchObject([{ state: 'detached', unpublished: true, holder: false }])
    await pass(world.clock, 5 * MINUTE)
    expect([world.mints(), (await recordOf(world, node, 'app-access-token')).version]).toEqual([1, 0])

    wire.down = undefined
    await pass(world.clock, PROBE_MS)
    expect(node.tokens.status()).toMatchObject([{ state: 'idle', unpublished: false }])
    expect(node.tokens.status()[0]).not.toHaveProperty('lastError')
    const [value] = await all
    expect(await recordOf(world, node, 'app-access-token')).toMatchObject({ value })
    expect(await world.node().tokens.appAccessToken()).toBe(value)
    expect(world.mints()).toBe(1)
  })

  test('what the store gets when it is back lives no longer than the token does', async () => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = await informed(world, wire)
    wire.down = down
    const value = node.tokens.appAccessToken()
    await pass(world.clock, STORE_BOUND_MS)
    await value
    await pass(world.clock, HOUR)
    wire.down = undefined
    await pass(world.clock, PROBE_MS)
    const { expiresInMs } = await recordOf(world, node, 'app-access-token')
    expect(expiresInMs).toBeGreaterThan(58 * MINUTE)
    expect(expiresInMs).toBeLessThanOrEqual(HOUR)
  })

  test.each([0, 0.5, 0.999])(
    'a node that does not know the ticket fails within the caller bound and says why (jitter %d)',
    async (chance) => {
      const world = await createWorld()
      const wire = wireTo(world.store)
      const random = { fraction: () => chance, id: () => systemRandom.id() }
      const node = world.node({ store: wire, manager: { random } })
      wire.down = down
      const errors = Array.from({ length: 20 }, () => errorOf(node.tokens.appAccessToken()))
      await pass(world.clock, 15_000)
      for (const error of await Promise.all(errors)) {
        expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
        expect((error as Error).message).toMatch(/store/i)
      }
      expect([world.mints(), world.resends()]).toEqual([0, 0])
      const hasty = errorOf(node.tokens.app.get({ timeoutMs: 3_000 }))
      await pass(world.clock, 3_000)
      expect(await hasty).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    },
  )

  test('such a node has its token as soon as the store is back', async () => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.down = down
    const value = node.tokens.appAccessToken()
    await pass(world.clock, 1_500)
    wire.down = undefined
    await pass(world.clock, 10_000)
    expect(world.simulator.judge(await value)).toBe('valid')
    expect(world.mints()).toBe(1)
  })

  test('a pushed ticket is answered 503 in time, used from memory, and stored when it is pushed again', async () => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.down = down
    const pushed = world.simulator.pushTicket(world.appId)
    await pass(world.clock, STORE_BOUND_MS)
    const { delivery, status } = await pushed
    expect(status).toBe(503)
    expect(node.events).toContainEqual(expect.objectContaining({ type: 'event-refused', status: 503 }))
    const value = node.tokens.appAccessToken()
    await pass(world.clock, STORE_BOUND_MS)
    expect(world.simulator.judge(await value)).toBe('valid')
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ version: 0 })

    wire.down = undefined
    const redelivered = world.simulator.next('delivery')
    await pass(world.clock, 15_000)
    expect(await redelivered).toMatchObject({ delivery, status: 200, acknowledged: true })
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ value: delivery.ticket })
    expect(ticketsSent(world)).toEqual([delivery.ticket])
  })

  test('a ticket given by hand is kept, and reaches the fleet with the next mint after the store is back', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.down = down
    const ticket = secret(world.simulator.issueTicket(world.appId), 'app ticket')
    const refused = errorOf(node.tokens.acceptAppTicket({ ticket, eventTime: new Date(world.clock.wall()) }))
    await pass(world.clock, STORE_BOUND_MS)
    expect(await refused).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    wire.down = undefined
    expect(world.simulator.judge(await node.tokens.appAccessToken())).toBe('valid')
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ value: ticket })
  })

  test('a ticket from the future is not kept', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.down = down
    const ticket = secret(world.simulator.issueTicket(world.appId), 'app ticket')
    const refused = errorOf(node.tokens.acceptAppTicket({ ticket, eventTime: new Date(world.clock.wall() + HOUR) }))
    await pass(world.clock, STORE_BOUND_MS)
    expect(await refused).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const error = errorOf(node.tokens.app.get({ timeoutMs: 5_000 }))
    await pass(world.clock, 5_000)
    expect(isTokenError(await error)).toBe(true)
    expect(world.mints()).toBe(0)
  })

  test('nodes that each fetched alone agree on one token when the store is back', async () => {
    // Tokens of 20 minutes: every mint makes another one.
    const world = await createWorld({ ticket: false, tokenLifeMs: 20 * MINUTE })
    const wire = wireTo(world.store)
    const nodes = [await informed(world, wire), await informed(world, wire), await informed(world, wire), await informed(world, wire)]
    wire.down = down
    const alone = Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken()))
    await pass(world.clock, STORE_BOUND_MS)
    expect(new Set(await alone).size).toBe(4)
    wire.down = undefined
    await pass(world.clock, PROBE_MS)
    const together = new Set(await Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken())))
    expect(together.size).toBe(1)
    expect(await alone).toContain([...together][0])
    expect(await world.node().tokens.appAccessToken()).toBe([...together][0])
    expect(world.mints()).toBe(4)
  })

  test('a rejected token is not served on, and its successor is fetched once', async () => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    const token = await node.tokens.app.get()
    wire.down = down
    world.simulator.revoke(world.appId, { next: 'new' })
    const rejected = node.tokens.app.reject(token)
    await pass(world.clock, STORE_BOUND_MS)
    await rejected
    const all = Promise.all(Array.from({ length: 20 }, () => node.tokens.app.get()))
    await pass(world.clock, STORE_BOUND_MS)
    const [next] = await all
    expect(world.simulator.judge(next?.value ?? '')).toBe('valid')
    expect(next?.version).toBeGreaterThan(token.version)
    expect(world.mints()).toBe(2)

    wire.down = undefined
    await pass(world.clock, PROBE_MS)
    expect(await world.node().tokens.appAccessToken()).toBe(next?.value)
    expect(world.mints()).toBe(2)
  })

  test('and the upstream fails too, requests to both stay few', async () => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = await informed(world, wire)
    world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
    wire.down = down
    const calls = wire.calls
    for (let round = 0; round < 40; round += 1) {
      const error = errorOf(node.tokens.appAccessToken())
      await pass(world.clock, 15_000)
      expect(isTokenError(await error)).toBe(true)
    }
    expect(world.mints()).toBeLessThanOrEqual(10 * 8)
    expect(wire.calls - calls).toBeLessThanOrEqual(10 * 20)
  })

  test('closing does not wait for it', async () => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.down = down
    const error = errorOf(node.tokens.appAccessToken())
    await quiet()
    const closed = node.manager.close()
    await pass(world.clock, STORE_BOUND_MS)
    expect(await error).toMatchObject({ code: 'CLOSED' })
    await closed
  })
})

describe.each(DOWN)('when a reply of the store is lost (it %s)', (how) => {
  test.each([1, 2, 3])('of a claim, %i times: one mint, and the lease hinders nobody for long', async (times) => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = await informed(world, wire)
    wire.lose('claim', how, times)
    const value = node.tokens.appAccessToken()
    await pass(world.clock, 5_000)
    expect(world.simulator.judge(await value)).toBe('valid')
    await pass(world.clock, MINUTE)
    expect(await world.node().tokens.appAccessToken()).toBe(await value)
    expect(world.mints()).toBe(1)
  })

  test.each([1, 2, 3])('of a publication, %i times: callers have the token, and the store has it once', async (times) => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.lose('publish', how, times)
    const value = node.tokens.appAccessToken()
    await pass(world.clock, 0)
    expect(await settlesInOneTurn(value)).toBe(true)
    const first = await recordOf(world, node, 'app-access-token')
    expect(first).toMatchObject({ value: await value })
    await pass(world.clock, MINUTE)
    expect(await recordOf(world, node, 'app-access-token')).toMatchObject({
      version: first.version,
      expiresInMs: first.expiresInMs - MINUTE,
    })
    expect(node.tokens.status()).toMatchObject([{ state: 'idle', unpublished: false, version: first.version }])
    expect(await world.node().tokens.appAccessToken()).toBe(await value)
    expect(world.mints()).toBe(1)
  })

  test.each([1, 2])('of a settle, %i times: the failure is counted once', async (times) => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    world.simulator.fault(MINT, { kind: 'status', status: 500 })
    wire.lose('settle', how, times)
    const value = node.tokens.appAccessToken()
    await eventually(() => node.tokens.status()[0]?.state === 'cooling')
    expect(await recordOf(world, node, 'app-access-token')).toMatchObject({ backoff: { failures: 1 } })
    await pass(world.clock, 5_000)
    expect(world.simulator.judge(await value)).toBe('valid')
    expect(world.mints()).toBe(2)
  })

  test.each([1, 2])('of an invalidation, %i times: the token is replaced once for the whole fleet', async (times) => {
    const world = await createWorld()
    const wire = wireTo(world.store)
    const [node, other] = [world.node({ store: wire }), world.node()]
    const token = await node.tokens.app.get()
    await other.tokens.appAccessToken()
    world.simulator.revoke(world.appId, { next: 'new' })
    wire.lose('invalidate', how, times)
    const rejected = node.tokens.app.reject(token)
    await pass(world.clock, STORE_BOUND_MS)
    await rejected
    const value = node.tokens.appAccessToken()
    await pass(world.clock, 10_000)
    await value
    await other.tokens.app.reject(token)
    const values = Promise.all([node.tokens.appAccessToken(), other.tokens.appAccessToken()])
    await pass(world.clock, 10_000)
    expect(new Set(await values).size).toBe(1)
    expect((await values)[0]).not.toBe(token.value)
    expect(world.mints()).toBe(2)
  })

  test('of the publication of a pushed ticket: it is stored once, and its redelivery changes nothing', async () => {
    const world = await createWorld({ ticket: false })
    const wire = wireTo(world.store)
    const node = world.node({ store: wire })
    wire.lose('publish', how, 2)
    const pushed = world.simulator.pushTicket(world.appId)
    await pass(world.clock, STORE_BOUND_MS)
    expect(await pushed).toMatchObject({ status: 503 })
    const { version, value } = await recordOf(world, node, 'app-ticket')
    await pass(world.clock, 15_000)
    expect((await pushed).delivery).toMatchObject({ state: 'acknowledged' })
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ version, value })
  })

  test.each(['claim', 'settle'] as const)('of the %s of the throttle: the ticket is still asked for once', async (operation) => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 14_000 } })
    const wire = wireTo(world.store)
    const [node, other] = [world.node({ store: wire }), world.node()]
    wire.lose(operation, how, 2, 'app-ticket-resend')
    const value = Promise.all([node.tokens.app.get({ timeoutMs: 60_000 }), other.tokens.app.get({ timeoutMs: 60_000 })])
    await pass(world.clock, 60_000)
    expect(new Set((await value).map((token) => token.value)).size).toBe(1)
    expect([world.resends(), world.mints()]).toEqual([1, 1])
  })
})

test('a node cut off from the store does not bring the others a token they have to fetch again', async () => {
  const world = await createWorld({ ticket: false })
  const wire = wireTo(world.store)
  const [cut, other] = [await informed(world, wire), world.node()]
  wire.down = 'refuses every call'
  const alone = await cut.tokens.appAccessToken()
  const value = await other.tokens.appAccessToken()
  wire.down = undefined
  await pass(world.clock, PROBE_MS)
  expect(await cut.tokens.appAccessToken()).toBe(value)
  expect(world.simulator.judge(alone)).toBe('valid')
  expect(world.mints()).toBe(2)
  expect(world.simulator.counters().requests[RESEND]).toBe(0)
})
