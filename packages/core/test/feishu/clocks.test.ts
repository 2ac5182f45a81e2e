import type { Clock } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import {
  createWorld,
  eventually,
  HOUR,
  MINT,
  MINUTE,
  type Node,
  pass,
  quiet,
  recordOf,
  settlesInOneTurn,
  type World,
  watched,
  withChance,
} from '../support/world.ts'

const DAY = 24 * HOUR
const DUE = 2 * HOUR - 29 * MINUTE

/** Asks once a second for a minute; every answer must be there within 2 seconds and be good. */
async function askForAMinute(world: World, nodes: readonly Node[]): Promise<void> {
  for (let second = 0; second < 60; second += 1) {
    const callers = nodes.map(({ tokens }) => {
      const caller = watched(tokens.app.get({ timeoutMs: 2_000 }).then(({ value }) => world.simulator.judge(value)))
      caller.promise.catch(() => {})
      return caller
    })
    await pass(world.clock, 1_000)
    for (const { outcome, promise } of callers) if (outcome === 'resolved') expect(await promise).toBe('valid')
    await pass(world.clock, 1_000)
    for (const { outcome } of callers) expect(outcome).toBe('resolved')
  }
}

/** What the world is doing when the clock is stepped. Each is entered with a node that has, or waits for, a token. */
const phases: readonly (readonly [string, (world: World, node: Node) => Promise<void>])[] = [
  ['before the first token', async () => {}],
  ['with a fresh token', async (_, node) => void (await node.tokens.app.get())],
  [
    'when half its life is over',
    async (world, node) => {
      await node.tokens.app.get()
      await pass(world.clock, HOUR)
    },
  ],
  [
    'while the first fetch is under way',
    async (world, node) => {
      world.simulator.fault(MINT, { kind: 'delay', ms: 500 })
      node.tokens.app.get().catch(() => {})
      await eventually(() => world.simulator.counters().inFlight[MINT] === 1)
    },
  ],
  [
    'while a renewal is under way',
    async (world, node) => {
      await node.tokens.app.get()
      world.simulator.fault(MINT, { kind: 'delay', ms: 500 })
      await pass(world.clock, DUE)
      expect(world.simulator.counters().inFlight[MINT]).toBe(1)
    },
  ],
  [
    'during the backoff of a renewal',
    async (world, node) => {
      await node.tokens.app.get()
      world.simulator.fault(MINT, { kind: 'status', status: 500 })
      await pass(world.clock, DUE)
      expect(node.tokens.status().some(({ state }) => state === 'cooling')).toBe(true)
    },
  ],
  [
    'a moment before the token falls due',
    async (world, node) => {
      await node.tokens.app.get()
      await pass(world.clock, DUE - 500)
    },
  ],
]

describe.each(phases)('a wall clock that is stepped %s', (_, enter) => {
  test.each([
    ['a day ahead', DAY],
    ['a day back', -DAY],
    ['an hour ahead', HOUR],
    ['an hour back', -HOUR],
    ['10 seconds ahead', 10_000],
    ['10 seconds back', -10_000],
  ])('%s costs one fetch at most and no error', async (_step, ms) => {
    const world = await createWorld()
    const node = world.node(withChance(0))
    await enter(world, node)
    // What there would have been to fetch anyway.
    const baseline = await baselineOf(enter)
    world.clock.stepWall(ms)
    await askForAMinute(world, [node])
    expect(world.mints()).toBeLessThanOrEqual(baseline + 1)
    expect(world.mints()).toBeGreaterThanOrEqual(baseline - 1)
  })

  test.each([[4_000], [-4_000], [900], [-900]])('by %i ms costs nothing', async (ms) => {
    const world = await createWorld()
    const node = world.node(withChance(0))
    await enter(world, node)
    const baseline = await baselineOf(enter)
    world.clock.stepWall(ms)
    await askForAMinute(world, [node])
    expect(world.mints()).toBe(baseline)
    expect(node.events.map(({ type }) => type)).not.toContain('doubted')
  })
})

/** Mints in the same minute with a clock that nobody touches. */
async function baselineOf(enter: (world: World, node: Node) => Promise<void>): Promise<number> {
  const world = await createWorld()
  const node = world.node(withChance(0))
  await enter(world, node)
  await askForAMinute(world, [node])
  return world.mints()
}

describe('a wall clock that is stepped', () => {
  test('to and fro all the time costs one fetch a step at most, and every answer is a good token', async () => {
    const world = await createWorld()
    const nodes = [world.node(withChance(0)), world.node(withChance(0))]
    const steps = [DAY, -DAY, -3 * HOUR, 3 * HOUR, 30 * MINUTE, -30 * MINUTE, -2 * DAY, 2 * DAY]
    for (const ms of steps) {
      world.clock.stepWall(ms)
      await askForAMinute(world, nodes)
    }
    expect(world.mints()).toBeLessThanOrEqual(1 + steps.length)
  })

  test('on one node alone, the store standing firm, costs one read and no fetch', async () => {
    const world = await createWorld()
    let offset = 0
    const clock: Clock = { ...clockOf(world), wall: () => world.clock.wall() + offset }
    const node = world.node({ manager: { ...withChance(0).manager, clock } })
    const token = await node.tokens.app.get()
    await quiet()
    for (const ms of [DAY, -DAY, -HOUR, HOUR]) {
      offset += ms
      const answer = watched(node.tokens.app.get())
      await quiet()
      expect(answer.outcome).toBe('resolved')
      expect(await answer.promise).toMatchObject({ value: token.value, version: token.version })
      const next = node.tokens.app.get()
      expect(await settlesInOneTurn(next)).toBe(true)
      await pass(world.clock, 10_000)
    }
    expect(world.mints()).toBe(1)
    expect(node.events.filter(({ type }) => type === 'doubted')).toHaveLength(4)
  })

  test('leaves renewal in the background as it was', async () => {
    for (const ms of [DAY, -DAY]) {
      const world = await createWorld()
      let offset = 0
      const clock: Clock = { ...clockOf(world), wall: () => world.clock.wall() + offset }
      const node = world.node({ manager: { ...withChance(0).manager, clock } })
      const token = await node.tokens.app.get()
      await pass(world.clock, HOUR)
      offset += ms
      for (let minute = 0; minute < 30; minute += 1) {
        await node.tokens.app.get()
        await pass(world.clock, MINUTE)
      }
      // Read since the renewal and after the step: due soon, with nobody asking.
      await pass(world.clock, 5 * MINUTE)
      expect(world.mints()).toBe(2)
      expect(node.tokens.app.peek()?.version).toBeGreaterThan(token.version)
    }
  })
})

test('a node whose token had lapsed when a step of its clock showed it a newer one keeps that one warm', async () => {
  const world = await createWorld()
  let offset = 0
  const clock: Clock = { ...clockOf(world), wall: () => world.clock.wall() + offset }
  const sleepy = world.node({ manager: { ...withChance(0).manager, clock } })
  await sleepy.tokens.app.get()
  await pass(world.clock, DUE)
  await pass(world.clock, DUE)
  expect(sleepy.tokens.status()).toMatchObject([{ state: 'idle', renewInMs: 0 }])
  const busy = world.node(withChance(0))
  await busy.tokens.app.get()
  await quiet()
  await busy.manager.close()
  expect(world.mints()).toBe(3)

  offset += 10_000
  expect(sleepy.tokens.app.peek()).toBeUndefined()
  await quiet()
  expect(sleepy.tokens.app.peek()).toBeDefined()
  await pass(world.clock, DUE + 10_000)
  expect(world.mints()).toBe(4)
})

/** A node without a token, which waits a refusal out: five minutes. */
async function waiting() {
  const world = await createWorld()
  const { tokens } = world.node()
  world.simulator.disableTenant(world.appId, 'acme')
  await expect(tokens.tenant('acme').get()).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' })
  await quiet()
  world.simulator.enableTenant(world.appId, 'acme')
  return { world, tokens, refused: () => world.simulator.counters(world.appId, { tenantKey: 'acme' }).errors[99991662] ?? 0 }
}

test('a machine that slept for ten seconds of the five minutes for which a refusal holds asks the store, and waits on', async () => {
  const { world, tokens } = await waiting()
  for (let times = 0; times < 3; times += 1) {
    world.suspend(10_000)
    await expect(tokens.tenant('acme').get()).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' })
    await quiet()
  }
  expect(world.simulator.counters(world.appId, { tenantKey: 'acme' }).requests.tenant_access_token).toBe(1)
  await pass(world.clock, 5 * MINUTE)
  expect(world.simulator.judge((await tokens.tenant('acme').get()).value)).toBe('valid')
})

describe('after the machine slept for 3 hours', () => {
  test('the dead token is not served, and the first caller gets a new one', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const old = await tokens.appAccessToken()
    world.suspend(3 * HOUR)
    expect(world.simulator.judge(old)).toBe('expired')
    expect(tokens.app.peek()).toBeUndefined()
    const values = await Promise.all(Array.from({ length: 100 }, () => tokens.appAccessToken()))
    expect(new Set(values).size).toBe(1)
    expect(world.simulator.judge(values[0] ?? '')).toBe('valid')
    expect(world.mints()).toBe(2)
  })

  test('a refusal that was waited out meanwhile is not told any more: the first caller has a token', async () => {
    const { world, tokens, refused } = await waiting()
    world.suspend(3 * HOUR)
    const { value } = await tokens.tenant('acme').get()
    expect(world.simulator.judge(value)).toBe('valid')
    expect(refused()).toBe(1)
  })

  test('in the middle of a token request, its late reply is not served', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const fault = world.simulator.fault(MINT, { kind: 'hang', at: 'reply' })
    const held = world.simulator.next('held')
    const callers = Array.from({ length: 20 }, () =>
      tokens.app.get({ timeoutMs: 60_000 }).then(({ value }) => world.simulator.judge(value)),
    )
    await held
    world.suspend(3 * HOUR)
    fault.release()
    await pass(world.clock, 10_000)
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['valid']))
    expect(world.mints()).toBe(2)
  })

  test('in the middle of a renewal, neither its late reply nor the old token is served', async () => {
    const world = await createWorld()
    const { tokens } = world.node(withChance(0))
    await tokens.app.get()
    const fault = world.simulator.fault(MINT, { kind: 'hang', at: 'reply' })
    await pass(world.clock, DUE)
    expect(world.simulator.counters().inFlight[MINT]).toBe(1)
    world.suspend(3 * HOUR)
    fault.release()
    const callers = Array.from({ length: 20 }, () =>
      tokens.app.get({ timeoutMs: 60_000 }).then(({ value }) => world.simulator.judge(value)),
    )
    await pass(world.clock, 10_000)
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['valid']))
  })

  test.each([
    ['by itself', false],
    ['as another gives up', true],
  ])('while a caller waits for a newer token, the dead one is not served when that wait ends %s', async (_, deserted) => {
    const world = await createWorld({ tokenLifeMs: 100_000 })
    const { tokens } = world.node(withChance(0))
    await tokens.app.get()
    const fault = world.simulator.fault(MINT, { kind: 'hang' })
    await pass(world.clock, 50_000)
    const deserter = new AbortController()
    if (deserted) world.clock.schedule(() => deserter.abort(), 1_000)
    const caller = watched(tokens.app.get({ timeoutMs: 60_000 }).then(({ value }) => world.simulator.judge(value)))
    const another = tokens.app.get({ signal: deserter.signal, timeoutMs: 60_000 }).then(({ value }) => world.simulator.judge(value))
    const outcome = another.catch((error: { code?: unknown }) => error.code)
    await pass(world.clock, 500)
    world.suspend(3 * HOUR)
    await pass(world.clock, 500)
    expect(caller.outcome).toBe('pending')
    fault.release()
    await pass(world.clock, 10_000)
    expect(await caller.promise).toBe('valid')
    expect(await outcome).toBe(deserted ? 'ABORTED' : 'valid')
  })

  test('in the middle of a store call, its late answer is not believed', async () => {
    const world = await createWorld()
    const first = world.node()
    await first.tokens.app.get()
    // The answer to the second node's claim says how long the token lives, and is read three hours later.
    let answered = () => {}
    const sleep = new Promise<void>((resolve) => {
      answered = resolve
    })
    const slow = {
      ...world.store,
      claim: async (...args: Parameters<typeof world.store.claim>) => {
        const claim = await world.store.claim(...args)
        await sleep
        return claim
      },
    }
    const { tokens } = world.node({ store: slow })
    const caller = tokens.app.get().then(({ value }) => world.simulator.judge(value))
    await quiet()
    world.suspend(3 * HOUR)
    answered()
    await pass(world.clock, 5_000)
    expect(await caller).toBe('valid')
    expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
  })

  test('the nodes of a fleet share one new token', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node(), world.node()]
    for (const { tokens } of nodes) await tokens.app.get()
    world.suspend(3 * HOUR)
    const values = nodes.map(({ tokens }) => tokens.appAccessToken())
    await pass(world.clock, 1_000)
    expect(new Set(await Promise.all(values)).size).toBe(1)
    expect(world.mints()).toBe(2)
  })

  test('with the upstream down, callers get an error and never the dead token', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
    world.suspend(3 * HOUR)
    const callers = Array.from({ length: 20 }, () => watched(tokens.app.get()))
    await pass(world.clock, 15_000)
    expect(callers.map(({ outcome }) => outcome)).toEqual(callers.map(() => 'rejected'))
  })

  test('short sleeps that add up to hours are noticed too', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await tokens.app.get()
    // A suspend is noticed from 5 seconds on; these stay below it, one by one.
    for (let slept = 0; slept < 3 * HOUR; slept += 4_000) world.suspend(4_000)
    const value = await tokens.appAccessToken()
    expect(world.simulator.judge(value)).toBe('valid')
  })
})

describe('nodes whose wall clocks differ', () => {
  test('by hours share every token: one fetch each time, renewed in time', async () => {
    const world = await createWorld()
    const offsets = [0, 5 * HOUR, -7 * HOUR, DAY]
    const nodes = offsets.map((offset) =>
      world.node({ manager: { clock: { ...clockOf(world), wall: () => world.clock.wall() + offset } } }),
    )
    for (let round = 0; round < 5; round += 1) {
      for (let minute = 0; minute < 95; minute += 5) {
        const answers = await Promise.all(nodes.map(({ tokens }) => tokens.app.get()))
        for (const { value } of answers) expect(world.simulator.judge(value)).toBe('valid')
        await pass(world.clock, 5 * MINUTE)
      }
    }
    // 7 h 55 min of tokens that live for at least 1 h 31 min before their renewal.
    expect(world.mints()).toBeGreaterThanOrEqual(5)
    expect(world.mints()).toBeLessThanOrEqual(6)
    expect(nodes.flatMap(({ events }) => events.map(({ type }) => type))).not.toContain('doubted')
  })

  test('tell their own people when the token ends, by their own clock', async () => {
    const world = await createWorld()
    const ahead = world.node({ manager: { clock: { ...clockOf(world), wall: () => world.clock.wall() + 5 * HOUR } } })
    const plain = world.node()
    const first = await ahead.tokens.app.get()
    const second = await plain.tokens.app.get()
    expect(first.value).toBe(second.value)
    expect(first.expiresAt).toBe(world.clock.wall() + 7 * HOUR)
    expect(second.expiresAt).toBe(world.clock.wall() + 2 * HOUR)
  })

  test('from the store’s by a day in either direction fetch once', async () => {
    for (const offset of [DAY, -DAY]) {
      const world = await createWorld({ ticket: false })
      const store = memoryStore({ clock: { wall: () => world.clock.wall() + offset } })
      const nodes = [world.node({ store }), world.node({ store })]
      for (const { tokens } of nodes) {
        // A ticket's own time is compared with the store's clock, so it is given by that.
        await tokens.acceptAppTicket({ ticket: world.simulator.issueTicket(world.appId), eventTime: new Date(world.clock.wall() + offset) })
      }
      const values = await Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken()))
      expect(new Set(values).size).toBe(1)
      await pass(world.clock, HOUR)
      await Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken()))
      expect(world.mints()).toBe(1)
    }
  })
})

function clockOf({ clock }: World): Clock {
  return { wall: () => clock.wall(), monotonic: () => clock.monotonic(), schedule: (run, ms) => clock.schedule(run, ms) }
}

test('a token that was fetched without the store is not shared with the time added that the machine slept', async () => {
  const world = await createWorld()
  const store = flaky(world.store, world.clock)
  const node = world.node({ store })
  await node.tokens.app.get()
  await node.tokens.app.reject(await node.tokens.app.get())
  store.always('all', { kind: 'throw' })
  await pass(world.clock, 2 * HOUR)
  const served = watched(node.tokens.app.get({ timeoutMs: 600_000 }))
  await pass(world.clock, 30_000)
  expect(served.outcome).toBe('resolved')
  world.suspend(HOUR)
  store.restore()
  // Nobody asks: its timers alone publish it.
  await pass(world.clock, MINUTE)
  const { value = '', expiresInMs } = await recordOf(world, node, 'app-access-token')
  if (expiresInMs > 1_000) {
    await pass(world.clock, expiresInMs - 1_000)
    expect(world.simulator.judge(value)).toBe('valid')
  }
  expect(world.simulator.judge(await node.tokens.appAccessToken())).toBe('valid')
})
