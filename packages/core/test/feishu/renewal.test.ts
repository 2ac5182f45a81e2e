import { describe, expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import {
  createWorld,
  eventually,
  HOUR,
  MINT,
  MINUTE,
  mintTimes,
  mostInAMinute,
  type Node,
  pass,
  quiet,
  recordOf,
  settlesInOneTurn,
  type World,
  watched,
  withChance,
} from '../support/world.ts'

const ALWAYS = { times: Number.POSITIVE_INFINITY }

/** When a token of two hours is due if its jitter is the largest. */
const SURELY_DUE = 2 * HOUR - 19 * MINUTE
/** When it is due if its jitter is none. */
const EARLIEST_DUE = 2 * HOUR - 29 * MINUTE

/** A node that holds a token of two hours which falls due after `EARLIEST_DUE`, to the millisecond. */
async function warmNode(world: World): Promise<Node> {
  const node = world.node(withChance(0))
  await node.tokens.appAccessToken()
  return node
}

/** Asks once every `everyMs`; every answer must be alive at that moment. Returns the codes of the errors. */
async function askAlong(world: World, nodes: readonly Node[], ms: number, everyMs: number): Promise<Set<unknown>> {
  const codes = new Set<unknown>()
  const open: Promise<void>[] = []
  for (let left = ms; left > 0; left -= everyMs) {
    for (const { tokens } of nodes) {
      const answer = tokens.appAccessToken().then(
        (value) => expect(world.simulator.judge(value)).toBe('valid'),
        async (error: unknown) => {
          await errorOf(Promise.reject(error))
          codes.add((error as { code?: unknown }).code)
        },
      )
      open.push(answer)
    }
    await pass(world.clock, Math.min(left, everyMs))
  }
  await pass(world.clock, 15_000)
  await Promise.all(open)
  return codes
}

describe('while the renewal hangs', () => {
  test('no caller waits: each gets the old token in one turn of the event loop, and one request is out', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    const old = await tokens.app.get()
    world.simulator.fault(MINT, { kind: 'delay', ms: 10_000 })
    const held = world.simulator.next('held')
    await world.clock.advance(EARLIEST_DUE)
    await held
    for (let second = 0; second < 6; second += 1) {
      const gets = Array.from({ length: 500 }, () => tokens.app.get())
      expect(await settlesInOneTurn(Promise.all(gets))).toBe(true)
      for (const token of await Promise.all(gets)) expect(token).toBe(old)
      expect(tokens.app.peek()).toBe(old)
      expect(world.simulator.counters().inFlight[MINT]).toBe(1)
      await world.clock.advance(1_000)
    }
    expect(world.mints()).toBe(2)
    expect(world.simulator.counters().maxInFlight[MINT]).toBe(1)
  })

  test('it is given up after 7 seconds, and the next try a moment later brings the new token', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    const old = await tokens.appAccessToken()
    world.simulator.fault(MINT, { kind: 'hang' })
    await pass(world.clock, EARLIEST_DUE)
    expect(world.mints()).toBe(2)
    const left = world.simulator.next('reply')
    await pass(world.clock, 6_999)
    expect(tokens.status().find(({ state }) => state === 'fetching')).toMatchObject({ holder: true })
    await pass(world.clock, 1)
    expect(await left).toMatchObject({ end: 'client-left' })
    expect(tokens.status().find(({ state }) => state === 'cooling')).toMatchObject({ lastError: { code: 'UPSTREAM_UNAVAILABLE' } })
    expect(await tokens.appAccessToken()).toBe(old)
    await pass(world.clock, 500)
    expect(await tokens.appAccessToken()).not.toBe(old)
    expect(world.mints()).toBe(3)
  })

  test('again and again until the end, the old token is served to its last second, and requests stay rare', async () => {
    const world = await createWorld()
    const node = await warmNode(world)
    const { tokens } = node
    const old = await tokens.appAccessToken()
    world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
    await pass(world.clock, EARLIEST_DUE)
    // To a minute before the end every caller is served at once.
    for (let left = 29 * MINUTE; left > MINUTE; left -= 1_000) {
      const value = tokens.appAccessToken()
      expect(await settlesInOneTurn(value)).toBe(true)
      expect(await value).toBe(old)
      await pass(world.clock, 1_000)
    }
    // Below the floor after a second at most, and to the last second.
    for (let left = MINUTE; left > 2_000; left -= 2_000) {
      const value = watched(tokens.appAccessToken())
      await pass(world.clock, 1_000)
      expect(value.outcome).toBe('resolved')
      expect(await value.promise).toBe(old)
      expect(world.simulator.judge(old)).toBe('valid')
      await pass(world.clock, 1_000)
    }
    await pass(world.clock, 2_000)
    expect(world.simulator.judge(old)).toBe('expired')
    const failed = watched(tokens.appAccessToken())
    await pass(world.clock, 15_000)
    expect(failed.outcome).toBe('rejected')
    expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(9)
    expect(world.simulator.counters().maxInFlight[MINT]).toBe(1)
  })
})

describe('an outage of a quarter of an hour', () => {
  test('that begins with the last renewal that can be drawn leaves nobody without a token, and is over within a minute', async () => {
    const world = await createWorld()
    const node = world.node(withChance(0.999_999))
    const old = await node.tokens.appAccessToken()
    await pass(world.clock, SURELY_DUE - 2_000)
    expect(world.mints()).toBe(1)
    world.simulator.fault(MINT, { kind: 'status', status: 503 }, ALWAYS)
    expect(await askAlong(world, [node], 15 * MINUTE, 1_000)).toEqual(new Set())
    expect(world.mints()).toBeGreaterThan(1)
    expect(await node.tokens.appAccessToken()).toBe(old)
    world.simulator.clearFaults()
    expect(await askAlong(world, [node], MINUTE, 1_000)).toEqual(new Set())
    expect(await node.tokens.appAccessToken()).not.toBe(old)
  })
})

describe('what stays warm', () => {
  test('a key that was read is renewed when it is due, with no caller at the time', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    const old = await tokens.app.get()
    await world.clock.advance(EARLIEST_DUE - 1)
    await quiet()
    expect(world.mints()).toBe(1)
    await world.clock.advance(1)
    await eventually(() => world.mints() === 2)
    await eventually(() => tokens.status().every(({ state }) => state === 'idle'))
    const renewed = tokens.app.get()
    expect(await settlesInOneTurn(renewed)).toBe(true)
    expect((await renewed).version).toBeGreaterThan(old.version)
    expect(world.mints()).toBe(2)
  })

  test('a key that nobody reads lapses, and the next reader has it fetched', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    await pass(world.clock, SURELY_DUE)
    expect(world.mints()).toBe(2)
    // Not read since that renewal.
    await pass(world.clock, 12 * HOUR)
    expect(world.mints()).toBe(2)
    expect(tokens.app.peek()).toBeUndefined()
    const value = await tokens.appAccessToken()
    expect(world.simulator.judge(value)).toBe('valid')
    expect(world.mints()).toBe(3)
  })

  test('a reader who comes when the lapsed token still lives gets it at once and has it renewed', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    await pass(world.clock, EARLIEST_DUE)
    const second = (await tokens.app.get()).version
    await pass(world.clock, EARLIEST_DUE)
    await tokens.app.get()
    const third = (await tokens.app.get()).version
    expect(third).toBeGreaterThan(second)
    // The read above was after the renewal, so one more follows, and then it lapses.
    await pass(world.clock, EARLIEST_DUE)
    await pass(world.clock, EARLIEST_DUE + 5 * MINUTE)
    const mints = world.mints()
    const answer = tokens.app.get()
    expect(await settlesInOneTurn(answer)).toBe(true)
    expect(world.simulator.judge((await answer).value)).toBe('valid')
    await quiet()
    expect(world.mints()).toBe(mints + 1)
    expect((await tokens.app.get()).version).toBeGreaterThan((await answer).version)
  })

  test('peek() counts as a read', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    await pass(world.clock, EARLIEST_DUE)
    for (let round = 3; round < 6; round += 1) {
      await pass(world.clock, 10 * MINUTE)
      expect(tokens.app.peek()).toBeDefined()
      await pass(world.clock, EARLIEST_DUE)
      expect(world.mints()).toBe(round)
    }
  })

  test('peek() asks neither the store nor the upstream, and knows nothing before the first get()', async () => {
    const world = await createWorld()
    let calls = 0
    const counting = new Proxy(world.store, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          calls += 1
          return Reflect.apply(member, target, args)
        }
      },
    })
    const { tokens } = world.node({ store: counting })
    for (let round = 0; round < 100; round += 1) expect(tokens.app.peek()).toBeUndefined()
    await pass(world.clock, HOUR)
    expect([calls, world.mints()]).toEqual([0, 0])
    const token = await tokens.app.get()
    const before = calls
    for (let second = 0; second < 100; second += 1) {
      expect(tokens.app.peek()).toBe(token)
      await world.clock.advance(1_000)
    }
    await quiet()
    expect([calls - before, world.mints()]).toEqual([0, 1])
  })

  test('a due token that peek() shows is renewed behind it', async () => {
    const world = await createWorld()
    const { tokens } = await warmNode(world)
    await pass(world.clock, EARLIEST_DUE)
    await pass(world.clock, EARLIEST_DUE + MINUTE)
    const lapsed = tokens.app.peek()
    expect(world.simulator.judge(lapsed?.value ?? '')).toBe('valid')
    await quiet()
    expect(tokens.app.peek()?.version).toBeGreaterThan(lapsed?.version ?? Number.POSITIVE_INFINITY)
    expect(world.mints()).toBe(3)
  })
})

describe('an upstream that gives', () => {
  test('the same token again with 30 minutes left is not asked in a loop', async () => {
    const world = await createWorld()
    await (await warmNode(world)).manager.close()
    // Nodes of another fleet, whose records are empty: the upstream gives them what is left of the first one's token.
    await world.clock.advance(2 * HOUR - 30 * MINUTE - 1_000)
    await quiet()
    const before = world.mints()
    const other = world.node({ ...withChance(0), manager: { ...withChance(0).manager, namespace: 'another-fleet' } })
    await other.tokens.acceptAppTicket({ ticket: world.simulator.issueTicket(world.appId), eventTime: new Date(world.clock.wall()) })
    const token = await other.tokens.app.get()
    expect(world.simulator.counters().sameTokens.app).toBe(1)
    expect(token.expiresAt - world.clock.wall()).toBe(30 * MINUTE + 1_000)
    await askAlong(world, [other], 10 * MINUTE, 1_000)
    expect(world.mints()).toBe(before + 1)
    await askAlong(world, [other], 20 * MINUTE, 1_000)
    expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(2)
    expect(world.mints()).toBeLessThanOrEqual(before + 4)
  })

  test.each([
    ['10 seconds of life', 10],
    ['1 second of life', 1],
    ['an end that has passed', -5],
    ['no life at all', 0],
  ])('tokens with %s, over and over, is asked at most 9 times a minute, and its callers are served or told why', async (_, value) => {
    const world = await createWorld()
    world.simulator.fault(MINT, { kind: 'expire', value }, ALWAYS)
    const nodes = [world.node(), world.node()]
    const codes = await askAlong(world, nodes, 10 * MINUTE, 500)
    expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(9)
    expect(world.mints()).toBeGreaterThan(10)
    for (const code of codes) expect(['FETCH_INVALID', 'UPSTREAM_INVALID_REPLY', 'TIMEOUT']).toContain(code)
    if (value <= 0) expect(codes.size).toBeGreaterThan(0)
  })

  test('tokens that live half a minute or a minute is asked a few times a minute at most', async () => {
    // 61 seconds: a floor of 60 leaves one second, which must not become the time between renewals.
    for (const tokenLifeMs of [31_000, 45_000, 60_000, 61_000, 65_000, 90_000]) {
      const world = await createWorld({ tokenLifeMs })
      const nodes = [world.node(), world.node()]
      expect(await askAlong(world, nodes, 5 * MINUTE, 500)).toEqual(new Set())
      expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(5)
    }
  })

  test('a token of 10 seconds serves the callers who waited for it, and the fleet none of it', async () => {
    const world = await createWorld({ tokenLifeMs: 10_000 })
    const node = world.node()
    const values = await Promise.all(Array.from({ length: 50 }, () => node.tokens.appAccessToken()))
    expect(new Set(values).size).toBe(1)
    expect(world.simulator.judge(values[0] ?? '')).toBe('valid')
    expect((await recordOf(world, node, 'app-access-token')).value).toBeUndefined()
  })
})

describe('a rate limit', () => {
  test('is waited out by every node, while the old token goes on', async () => {
    const world = await createWorld()
    const nodes = [await warmNode(world), world.node(withChance(0))]
    for (const { tokens } of nodes) await tokens.appAccessToken()
    world.simulator.fault(MINT, { kind: 'rate-limit', resetSeconds: 90 })
    expect(await askAlong(world, nodes, EARLIEST_DUE + 5 * MINUTE, 10_000)).toEqual(new Set())
    const times = mintTimes(world)
    expect(times).toHaveLength(3)
    const gap = (times[2] ?? 0) - (times[1] ?? 0)
    expect(gap).toBeGreaterThanOrEqual(90_000)
    expect(gap).toBeLessThanOrEqual(100_000)
  })

  test('with nothing at hand fails callers of every node at once, saying when to come back', async () => {
    const world = await createWorld()
    world.simulator.fault(MINT, { kind: 'rate-limit', resetSeconds: 90 })
    const first = world.node()
    expect(await errorOf(first.tokens.appAccessToken())).toMatchObject({
      code: 'RATE_LIMITED',
      retryable: true,
      retryAfterMs: 90_000,
      upstream: { code: 99991400 },
    })
    await pass(world.clock, 30_000)
    const second = world.node()
    const shared = await errorOf(second.tokens.appAccessToken())
    expect(shared).toMatchObject({ code: 'RATE_LIMITED', retryable: true, upstream: { code: 99991400 } })
    const { retryAfterMs } = shared as { retryAfterMs?: number }
    expect(retryAfterMs).toBeGreaterThanOrEqual(60_000)
    expect(retryAfterMs).toBeLessThanOrEqual(70_000)
    expect(world.mints()).toBe(1)
    await pass(world.clock, 70_000)
    expect(world.simulator.judge(await second.tokens.appAccessToken())).toBe('valid')
    expect(world.mints()).toBe(2)
  })

  test('of seconds lets the callers wait that can', async () => {
    const world = await createWorld()
    world.simulator.fault(MINT, { kind: 'rate-limit', resetSeconds: 5 })
    const { tokens } = world.node(withChance(0))
    const value = watched(tokens.appAccessToken())
    const hasty = errorOf(tokens.app.get({ timeoutMs: 2_000 }))
    await pass(world.clock, 4_900)
    expect(value.outcome).toBe('pending')
    await pass(world.clock, 100)
    expect(world.simulator.judge(await value.promise)).toBe('valid')
    expect(await hasty).toMatchObject({ code: 'RATE_LIMITED' })
    expect(world.mints()).toBe(2)
  })
})

describe('an outage of an hour with callers all the time', () => {
  test.each([
    ['a 500', { kind: 'status', status: 500 }],
    ['a reset connection', { kind: 'reset' }],
    ['silence', { kind: 'hang' }],
    ['a page of a proxy', { kind: 'html' }],
  ] as const)(
    'that shows as %s brings at most 9 requests a minute from the whole fleet',
    async (_, fault) => {
      const world = await createWorld()
      const outage = world.simulator.fault(MINT, fault, ALWAYS)
      const nodes = [world.node(), world.node()]
      const codes = await askAlong(world, nodes, HOUR, 2_500)
      expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(9)
      expect(world.mints()).toBeGreaterThan(50)
      for (const code of codes) expect(['UPSTREAM_UNAVAILABLE', 'UPSTREAM_INVALID_REPLY', 'TIMEOUT']).toContain(code)
      // And it is over within the longest backoff.
      outage.release()
      const values = nodes.map(({ tokens }) => watched(tokens.app.get({ timeoutMs: 80_000 })))
      await pass(world.clock, 75_000)
      for (const { outcome, promise } of values) {
        expect(outcome).toBe('resolved')
        expect(world.simulator.judge((await promise).value)).toBe('valid')
      }
    },
    60_000,
  )
})
