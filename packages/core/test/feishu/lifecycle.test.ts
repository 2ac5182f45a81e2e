import { inspect } from 'node:util'
import { createTokenManager, type TokenStore } from '@tokenwell/core'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky, virtualClock } from '@tokenwell/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret } from '../../../../tools/leak-search/index.ts'
import { createWorld, eventually, pass, quiet, recordOf, watched } from '../support/world.ts'

const HOUR = 3_600_000

/** Fails the test that leaves a rejection to nobody. */
function watchRejections(): unknown[] {
  const seen: unknown[] = []
  const listener = (reason: unknown) => seen.push(reason)
  process.on('unhandledRejection', listener)
  onTestFinished(() => {
    process.off('unhandledRejection', listener)
  })
  return seen
}

describe('what is under way when close() comes', () => {
  test('a ticket on its way into the store is there before the store is closed, and later ones are refused', async () => {
    const clock = virtualClock()
    const order: string[] = []
    const inner = memoryStore({ clock })
    const store = flaky(
      {
        ...inner,
        publish: async (...args) => {
          const answer = await inner.publish(...args)
          order.push('published')
          return answer
        },
        close: async () => {
          order.push('closed')
        },
      },
      clock,
    )
    const tokens = createFeishuTokens({
      appId: 'cli_close',
      appSecret: randomSecret('app secret'),
      manager: createTokenManager({ store, clock }),
    })
    const manager = createTokenManager({ store, clock })
    const other = createFeishuTokens({ appId: 'cli_other', appSecret: randomSecret('app secret'), manager })
    await tokens.close()
    store.next('publish', { kind: 'delay', ms: 500 })
    const accepted = other.acceptAppTicket({ ticket: randomSecret('app ticket'), eventTime: new Date(clock.wall()) })
    const closed = manager.close()
    await clock.advance(600)
    expect(await accepted).toBe('accepted')
    await closed
    expect(order[0]).toBe('published')
    expect(await errorOf(other.acceptAppTicket({ ticket: randomSecret('app ticket'), eventTime: new Date(clock.wall()) }))).toMatchObject({
      code: 'CLOSED',
    })
  })

  test.each([
    ['reads', 'read'],
    ['reports', 'invalidate'],
  ] as const)('a ticket that a fetch which is given up %s just then has its answer before the store is closed', async (_, operation) => {
    const world = await createWorld()
    let outcomes: unknown[] = []
    const store = flaky(
      {
        ...world.store,
        close: async () => {
          outcomes = asked().map(({ outcome }) => outcome)
        },
      },
      world.clock,
    )
    const asked = () => store.calls.filter((call) => call.operation === operation && call.key.endsWith('app-ticket'))
    const { tokens, manager } = world.node({ store })
    if (operation === 'invalidate') world.simulator.invalidateTicket(world.appId)
    store.next(operation, { kind: 'delay', ms: 500 })
    const caller = errorOf(tokens.appAccessToken())
    await eventually(() => asked().length === 1)
    const closed = watched(manager.close())
    expect(await caller).toMatchObject({ code: 'CLOSED' })
    await pass(world.clock, 499)
    expect(asked()).toMatchObject([{ fault: 'delay', outcome: 'pending' }])
    expect(closed.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect(closed.outcome).toBe('resolved')
    expect(outcomes).toEqual(['answered'])
  })

  test('a report about a token ends with it, however slow the store is', async () => {
    const clock = virtualClock()
    const store = flaky(memoryStore({ clock }), clock)
    const manager = createTokenManager({ store, clock })
    const handle = manager.token({ key: 'k', fetch: async () => ({ value: 'first', expiresInMs: HOUR }) })
    const token = await handle.get()
    store.always('invalidate', { kind: 'drop-request' })
    const reported = handle.reject(token)
    const closed = manager.close()
    await clock.advance(5_000)
    await reported
    await closed
    expect(clock.pending).toBe(0)
  })

  test('a fetch that threw before it returned a promise leaves no rejection to nobody', async () => {
    const rejections = watchRejections()
    const clock = virtualClock()
    const store = flaky(memoryStore({ clock }), clock)
    const manager = createTokenManager({ store, clock })
    const handle = manager.token({
      key: 'k',
      fetch: () => {
        throw new Error('at once')
      },
    })
    const waiting = errorOf(handle.get())
    await quiet()
    await manager.close()
    expect(await waiting).toMatchObject({ code: 'CLOSED' })
    await quiet()
    expect(rejections).toEqual([])
  })

  test('a grace that is out of range closes nothing', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    await expect(tokens.close({ graceMs: -1 })).rejects.toThrow(/^graceMs: /)
    expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
  })
})

test('an observer that fails later does not end the process', async () => {
  const rejections = watchRejections()
  const manager = createTokenManager({
    store: memoryStore(),
    onEvent: async () => {
      throw new Error('observer')
    },
  })
  await manager.token({ key: 'k', fetch: async () => ({ value: 'value', expiresInMs: HOUR }) }).get()
  await quiet()
  expect(rejections).toEqual([])
  await manager.close()
})

test('a corrected secret is tried at once also on the manager that knows the wrong one', async () => {
  const world = await createWorld()
  const wrong = world.node({ tokens: { appSecret: randomSecret('wrong app secret') } })
  expect(await errorOf(wrong.tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  const right = world.node({ tokens: { manager: wrong.manager } })
  expect(world.simulator.judge(await right.tokens.appAccessToken())).toBe('valid')
})

test('the bound on memory does not forget a backoff that only this process knows', async () => {
  const clock = virtualClock()
  const store = flaky(memoryStore({ clock }), clock)
  store.always('all', { kind: 'throw' })
  const manager = createTokenManager({ store, clock, maxEntries: 1 })
  const fetches = new Map<string, number>()
  const handles = ['a', 'b', 'c'].map((key) =>
    manager.token({
      key,
      fetch: async () => {
        fetches.set(key, (fetches.get(key) ?? 0) + 1)
        throw new Error('down')
      },
    }),
  )
  for (let round = 0; round < 120; round += 1) {
    for (const handle of handles) handle.get({ timeoutMs: 400 }).catch(() => {})
    await clock.advance(500)
  }
  for (const [key, count] of fetches) expect(count, key).toBeLessThanOrEqual(9)
  await manager.close()
})

test('a store that grants without a lease is not asked for ever', async () => {
  const clock = virtualClock()
  const inner = memoryStore({ clock })
  let claims = 0
  const store: TokenStore = {
    ...inner,
    claim: async (...args) => {
      claims += 1
      const { lease: _, ...snapshot } = (await inner.claim(...args)).snapshot
      return { kind: 'granted', fence: claims, takeover: false, snapshot }
    },
  }
  const manager = createTokenManager({ store, clock })
  const { value } = await manager.token({ key: 'k', fetch: async () => ({ value: 'alone', expiresInMs: HOUR }) }).get()
  expect(value).toBe('alone')
  expect(claims).toBeLessThan(5)
  await manager.close()
})

test('a client that hangs the failed command on its error gives away neither ticket nor token', async () => {
  const world = await createWorld()
  const failing: TokenStore = {
    ...world.store,
    publish: async (_key, _attempt, _fence, { value }) => {
      throw Object.assign(new Error(`READONLY ${value}`), { command: { name: 'evalsha', args: [value] } })
    },
  }
  const node = world.node({ store: failing })
  const ticket = randomSecret('app ticket')
  const error = await errorOf(node.tokens.acceptAppTicket({ ticket, eventTime: new Date(world.clock.wall()) }))
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { message: 'READONLY ***' } })
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain(ticket)
  const token = await node.tokens.appAccessToken()
  await quiet()
  expect(inspect(node.events, { depth: null, showHidden: true })).not.toContain(token)
  expect(await recordOf(world, node, 'app-access-token')).toMatchObject({ version: 0 })
})

test('a caller that gave up keeps no process alive', async () => {
  const clock = virtualClock()
  const alive = new Set<object>()
  const manager = createTokenManager({
    store: memoryStore({ clock }),
    clock: {
      wall: clock.wall,
      monotonic: clock.monotonic,
      schedule(run, delayMs, keepAlive) {
        const timer = {}
        if (keepAlive) alive.add(timer)
        const cancel = clock.schedule(() => {
          alive.delete(timer)
          run()
        }, delayMs)
        return () => {
          alive.delete(timer)
          cancel()
        }
      },
    },
  })
  const controller = new AbortController()
  const waiting = errorOf(manager.token({ key: 'k', fetch: () => new Promise(() => {}) }).get({ signal: controller.signal }))
  await eventually(() => alive.size === 1)
  controller.abort()
  expect(await waiting).toMatchObject({ code: 'ABORTED' })
  expect(alive.size).toBe(0)
  await pass(clock, 10)
  await manager.close()
})

test('what a process knows rejected outlives the forgetting of its key, however often', async () => {
  const clock = virtualClock()
  const store = flaky(memoryStore({ clock }), clock)
  const manager = createTokenManager({ store, clock, maxEntries: 1 })
  let fetched = 0
  const handle = manager.token({ key: 'k', fetch: async () => ({ value: `value ${++fetched}`, expiresInMs: HOUR }) })
  const others = ['x', 'y', 'z'].map((key) => manager.token({ key, fetch: async () => ({ value: key, expiresInMs: HOUR }) }))
  const first = await handle.get()
  store.next('invalidate', { kind: 'throw' }, { kind: 'throw' })
  store.always('claim', { kind: 'throw' })
  await handle.reject(first)
  await quiet()
  store.restore()
  for (const other of others) {
    await other.get()
    expect((await handle.get()).version).toBeGreaterThan(first.version)
  }
  await manager.close()
})

test('a token that a caller had to wait for counts as asked for, and is renewed in the background', async () => {
  const clock = virtualClock()
  let fetches = 0
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  const handle = manager.token({
    key: 'k',
    fetch: async () => {
      fetches += 1
      await new Promise<void>((resolve) => clock.schedule(resolve, 100))
      return { value: `value ${fetches}`, expiresInMs: 2 * HOUR }
    },
  })
  const first = handle.get()
  await clock.advance(200)
  await first
  await clock.advance(2 * HOUR - 60_000)
  expect(fetches).toBe(2)
  await clock.advance(10 * HOUR)
  expect(fetches).toBe(2)
  await manager.close()
})
