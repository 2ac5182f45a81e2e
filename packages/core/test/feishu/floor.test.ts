import type { Token } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import {
  createWorld,
  HOUR,
  MINT,
  MINUTE,
  mintTimes,
  mostInAMinute,
  type Node,
  pass,
  quiet,
  settlesInOneTurn,
  type World,
  watched,
  withChance,
} from '../support/world.ts'

const ALWAYS = { times: Number.POSITIVE_INFINITY }

/** A node with a token of `lifeMs`, and an upstream that from now on fails in this way. */
async function lastToken(
  lifeMs: number,
  fault: Parameters<World['simulator']['fault']>[1],
): Promise<{ world: World; node: Node; token: Token }> {
  const world = await createWorld({ tokenLifeMs: lifeMs })
  const node = world.node(withChance(0))
  const token = await node.tokens.app.get()
  secret(token.value, 'app token')
  world.simulator.fault(MINT, fault, ALWAYS)
  return { world, node, token }
}

describe('with the upstream dead and less life than the floor', () => {
  test.each([
    ['answers 500', { kind: 'status', status: 500 }],
    ['hangs', { kind: 'hang' }],
    ['resets connections', { kind: 'reset' }],
  ] as const)('an upstream that %s: the token is served while it lives and never after, at any fraction of a second', async (_, fault) => {
    const { world, node, token } = await lastToken(45_000, fault)
    const answers: { readonly at: number; readonly outcome: Promise<'served' | 'failed'> }[] = []
    const served: number[] = []
    for (let at = 0; at < 60_000; at += 100) {
      const outcome = node.tokens.app.get().then(
        ({ value }) => {
          expect(world.simulator.judge(value)).toBe('valid')
          served.push(world.clock.monotonic())
          return 'served' as const
        },
        async (error: unknown) => {
          await errorOf(Promise.reject(error))
          expect(error).toMatchObject({ name: 'TokenError', retryable: true })
          expect(['TIMEOUT', 'UPSTREAM_UNAVAILABLE']).toContain((error as { code?: unknown }).code)
          return 'failed' as const
        },
      )
      answers.push({ at, outcome })
      const peeked = node.tokens.app.peek()
      expect(peeked).toBe(at < 45_000 ? token : undefined)
      await pass(world.clock, 100)
    }
    await pass(world.clock, 16_000)
    for (const { at, outcome } of answers) {
      if (at < 44_000) expect(await outcome).toBe('served')
      if (at >= 45_000) expect(await outcome).toBe('failed')
    }
    expect(Math.max(...served)).toBeGreaterThanOrEqual(44_000)
    expect(Math.max(...served)).toBeLessThan(45_000)
    expect(mostInAMinute(mintTimes(world))).toBeLessThanOrEqual(9)
  })

  test('after the end the error carries what the upstream said and whether trying again helps', async () => {
    const { world, node } = await lastToken(45_000, { kind: 'status', status: 503 })
    await pass(world.clock, 45_000)
    const failed = errorOf(node.tokens.app.get({ timeoutMs: 5_000 }))
    await pass(world.clock, 5_000)
    const error = (await failed) as { code: string; message: string }
    expect(error).toMatchObject({ retryable: true, upstream: { httpStatus: 503 } })
    expect(['TIMEOUT', 'UPSTREAM_UNAVAILABLE']).toContain(error.code)
    if (error.code === 'TIMEOUT') expect(error).toMatchObject({ cause: { code: 'UPSTREAM_UNAVAILABLE' } })
  })

  test('when the upstream comes back every waiting caller gets the new token', async () => {
    const { world, node } = await lastToken(45_000, { kind: 'status', status: 500 })
    await pass(world.clock, 46_000)
    world.simulator.clearFaults()
    const judged: string[] = []
    const values = Array.from({ length: 20 }, async () => {
      const token = await node.tokens.app.get({ timeoutMs: 80_000 })
      judged.push(world.simulator.judge(token.value))
      return token
    })
    await pass(world.clock, 61_000)
    expect(judged).toEqual(Array.from({ length: 20 }, () => 'valid'))
    expect(new Set(await Promise.all(values)).size).toBe(1)
  })
})

describe('below the floor, with a renewal under way', () => {
  test('a caller waits at most a second for the next token, then gets the old one', async () => {
    // Due at half its life, with 50 s left.
    const { world, node, token } = await lastToken(100_000, { kind: 'hang' })
    await pass(world.clock, 50_000)
    expect(world.simulator.counters().inFlight[MINT]).toBe(1)
    for (let round = 0; round < 5; round += 1) {
      const early = watched(node.tokens.app.get())
      const late = watched(node.tokens.app.get())
      await pass(world.clock, 999)
      expect([early.outcome, late.outcome]).toEqual(['pending', 'pending'])
      await pass(world.clock, 1)
      expect([early.outcome, late.outcome]).toEqual(['resolved', 'resolved'])
      expect(await early.promise).toBe(token)
    }
    // The hanging request ends after 7 seconds: during the backoff nobody waits.
    await pass(world.clock, 2_000)
    expect(node.tokens.status().find(({ key }) => key === node.tokens.app.key)).toMatchObject({ state: 'cooling' })
    expect(await settlesInOneTurn(node.tokens.app.get())).toBe(true)
  })

  test('a caller whose patience is shorter than that second still gets the old one, in its time', async () => {
    const { world, node } = await lastToken(100_000, { kind: 'hang' })
    await pass(world.clock, 50_000)
    const caller = watched(node.tokens.app.get({ timeoutMs: 300 }))
    await pass(world.clock, 300)
    expect(caller.outcome).toBe('resolved')
    const impatient = watched(node.tokens.app.get({ timeoutMs: 0 }))
    await pass(world.clock, 0)
    expect(impatient.outcome).toBe('resolved')
  })

  test('a caller gets the new token as soon as it is there', async () => {
    const world = await createWorld({ tokenLifeMs: 100_000 })
    const { tokens } = world.node(withChance(0))
    const old = await tokens.app.get()
    world.simulator.fault(MINT, { kind: 'delay', ms: 700 })
    await pass(world.clock, 50_000)
    const caller = watched(tokens.app.get())
    await pass(world.clock, 699)
    expect(caller.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect((await caller.promise).version).toBeGreaterThan(old.version)
    expect(world.simulator.judge((await caller.promise).value)).toBe('valid')
  })

  test('a node that follows another node’s renewal makes its callers wait no longer either', async () => {
    const world = await createWorld({ tokenLifeMs: 100_000 })
    const [holder, follower] = [world.node(withChance(0)), world.node(withChance(0))]
    for (const { tokens } of [holder, follower]) await tokens.app.get()
    world.simulator.fault(MINT, { kind: 'delay', ms: 3_000 })
    await pass(world.clock, 50_500)
    const callers = [holder, follower].map(({ tokens }) => watched(tokens.app.get()))
    await pass(world.clock, 1_000)
    expect(callers.map(({ outcome }) => outcome)).toEqual(['resolved', 'resolved'])
    await pass(world.clock, 2_000)
    const [mine, yours] = await Promise.all([holder, follower].map(({ tokens }) => tokens.app.get()))
    await quiet()
    expect(mine?.version).toBe(yours?.version)
    expect(world.mints()).toBe(2)
  })
})

describe('minLifeMs', () => {
  test.each([[-1], [19 * MINUTE + 1], [2 * HOUR], [Number.NaN], [Number.POSITIVE_INFINITY], ['60000']])(
    '%s is refused, naming the range',
    async (minLifeMs) => {
      const world = await createWorld()
      const { tokens } = world.node()
      const error = await errorOf(tokens.app.get({ minLifeMs: minLifeMs as number }))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toMatch(/^minLifeMs: expected milliseconds from 0 to 1140000, got /)
      expect(world.mints()).toBe(0)
    },
  )

  test('that the token in memory has costs nothing', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const token = await tokens.app.get({ minLifeMs: 19 * MINUTE })
    const again = tokens.app.get({ minLifeMs: 19 * MINUTE })
    expect(await settlesInOneTurn(again)).toBe(true)
    expect(await again).toBe(token)
    expect(world.mints()).toBe(1)
  })

  test('that the token in memory has not got waits for a newer one, while others are served the old one', async () => {
    const world = await createWorld()
    const { tokens } = world.node(withChance(0))
    const old = await tokens.app.get()
    const hang = world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
    await pass(world.clock, 2 * HOUR - 10 * MINUTE)
    const choosy = watched(tokens.app.get({ minLifeMs: 15 * MINUTE, timeoutMs: 120_000 }))
    const modest = tokens.app.get({ minLifeMs: 5 * MINUTE })
    expect(await settlesInOneTurn(modest)).toBe(true)
    expect(await modest).toBe(old)
    await pass(world.clock, 5_000)
    expect(choosy.outcome).toBe('pending')
    hang.release()
    await pass(world.clock, 65_000)
    expect(choosy.outcome).toBe('resolved')
    expect((await choosy.promise).version).toBeGreaterThan(old.version)
  })

  test('that cannot be had in time ends in an error with the last failure', async () => {
    const world = await createWorld()
    const { tokens } = world.node(withChance(0))
    const old = await tokens.app.get()
    world.simulator.fault(MINT, { kind: 'status', status: 500 }, ALWAYS)
    await pass(world.clock, 2 * HOUR - 10 * MINUTE)
    const choosy = errorOf(tokens.app.get({ minLifeMs: 15 * MINUTE }))
    await pass(world.clock, 15_000)
    const error = (await choosy) as { code: string }
    expect(['TIMEOUT', 'UPSTREAM_UNAVAILABLE']).toContain(error.code)
    expect(error).toMatchObject({ retryable: true, upstream: { httpStatus: 500 } })
    expect(await tokens.app.get()).toBe(old)
  })

  test('that the upstream’s newest tokens do not have is LIFE_TOO_SHORT at once, without a request more', async () => {
    const world = await createWorld({ tokenLifeMs: 10 * MINUTE })
    const { tokens } = world.node(withChance(0))
    const cold = await errorOf(tokens.app.get({ minLifeMs: 15 * MINUTE }))
    expect(cold).toMatchObject({ code: 'LIFE_TOO_SHORT', retryable: false })
    expect((cold as Error).message).toContain('900000')
    expect((cold as Error).message).toContain('600000')
    const warm = errorOf(tokens.app.get({ minLifeMs: 15 * MINUTE }))
    expect(await settlesInOneTurn(warm)).toBe(true)
    expect(await warm).toMatchObject({ code: 'LIFE_TOO_SHORT' })
    expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
    expect(world.mints()).toBe(1)
  })

  test('up to the longest is never too much: a process that renews a little later than planned lets the caller wait for it', async () => {
    const world = await createWorld()
    const [holder, follower] = [world.node(withChance(0.999)), world.node(withChance(0.999))]
    const old = await holder.tokens.app.get()
    await follower.tokens.app.get()
    await pass(world.clock, 2 * HOUR - 19 * MINUTE + 1_000)
    const choosy = watched(follower.tokens.app.get({ minLifeMs: 19 * MINUTE }))
    await pass(world.clock, 3_000)
    expect([choosy.outcome, world.mints()]).toEqual(['pending', 1])
    await pass(world.clock, 2_000)
    expect(choosy.outcome).toBe('resolved')
    expect((await choosy.promise).version).toBeGreaterThan(old.version)
  })

  test('asked for by a caller who comes once a second brings no loop of requests', async () => {
    const world = await createWorld({ tokenLifeMs: 10 * MINUTE })
    const { tokens } = world.node(withChance(0))
    for (let second = 0; second < 9 * 60; second += 1) {
      const watch = watched(tokens.app.get({ minLifeMs: 6 * MINUTE }))
      watch.promise.catch(() => {})
      await pass(world.clock, 1_000)
    }
    // Each lives until it is due at half its life.
    expect(world.mints()).toBeLessThanOrEqual(3)
  })
})
