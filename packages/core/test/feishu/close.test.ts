import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TokenStore } from '@tokenwell/core'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'
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

const ALWAYS = { times: Number.POSITIVE_INFINITY }
const DUE = 2 * HOUR - 29 * MINUTE

const inFlight = (world: World, count: number) => eventually(() => world.simulator.counters().inFlight[MINT] === count)

async function closed(callers: readonly Promise<unknown>[]): Promise<void> {
  for (const error of await Promise.all(callers.map((caller) => errorOf(caller)))) {
    expect(error).toMatchObject({ name: 'TokenError', code: 'CLOSED', retryable: false })
  }
}

/** Everything a key can be doing when its manager is closed. Returns the callers that wait. */
const moments: readonly (readonly [string, (world: World, node: Node) => Promise<Promise<unknown>[]>])[] = [
  ['nothing asked for yet', async () => []],
  [
    'a fresh token in memory',
    async (_, { tokens }) => {
      await tokens.app.get()
      await quiet()
      return []
    },
  ],
  [
    'callers waiting for a request in flight',
    async (world, { tokens }) => {
      world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
      const callers = Array.from({ length: 50 }, () => tokens.app.get())
      await inFlight(world, 1)
      return callers
    },
  ],
  ['callers waiting for a claim', async (_, { tokens }) => Array.from({ length: 50 }, () => tokens.app.get())],
  [
    'a renewal in flight that nobody waits for',
    async (world, { tokens }) => {
      await tokens.app.get()
      world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
      await pass(world.clock, DUE)
      await inFlight(world, 1)
      return []
    },
  ],
  [
    'callers waiting for a backoff to end',
    async (world, { tokens }) => {
      world.simulator.fault(MINT, { kind: 'status', status: 500 }, ALWAYS)
      const callers = Array.from({ length: 50 }, () => tokens.app.get())
      await eventually(() => tokens.status().some(({ state }) => state === 'cooling'))
      return callers
    },
  ],
  [
    'callers waiting for another node’s request',
    async (world, { tokens }) => {
      world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
      const other = world.node()
      other.tokens.app.get().catch(() => {})
      await inFlight(world, 1)
      const callers = Array.from({ length: 50 }, () => tokens.app.get())
      await quiet()
      expect(tokens.status().map(({ state }) => state)).toEqual(['following'])
      await other.manager.close()
      return callers
    },
  ],
  [
    'callers waiting for a ticket',
    async (world, { tokens }) => {
      world.simulator.invalidateTicket(world.appId)
      world.simulator.setEventUrl(world.appId, 'http://127.0.0.1:1/nowhere')
      const callers = Array.from({ length: 50 }, () => tokens.app.get())
      await eventually(() => tokens.status().some(({ state }) => state === 'blocked'))
      return callers
    },
  ],
]

describe.each(moments)('closed with %s', (_, enter) => {
  test('every caller is told, nothing is armed, and nothing happens afterwards', async () => {
    const world = await createWorld()
    const node = world.node(withChance(0))
    const callers = await enter(world, node)
    const settled = closed(callers)
    const ended = node.manager.close()
    await quiet()
    expect(await settlesInOneTurn(ended)).toBe(true)
    await settled
    await quiet()
    // The simulator has timers of its own only while it redelivers an event.
    if (!enterNeedsEvents(enter)) expect(world.clock.pending).toBe(0)
    expect(world.simulator.counters().inFlight[MINT]).toBe(0)
    const before = world.simulator.requests.length
    await pass(world.clock, 3 * HOUR)
    expect(world.simulator.requests.length).toBe(before)
    await closed([node.tokens.app.get(), node.tokens.appAccessToken(), node.tokens.app.use(async () => 'never')])
    expect(node.tokens.app.peek()).toBeUndefined()
    expect(node.tokens.status()).toEqual([])
  })
})

function enterNeedsEvents(enter: unknown): boolean {
  return enter === moments.at(-1)?.[1]
}

describe('a request in flight', () => {
  test('is given up without graceMs, and its lease too: another node mints at once', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    world.simulator.fault(MINT, { kind: 'hang' })
    const callers = Array.from({ length: 10 }, () => first.tokens.app.get())
    const settled = closed(callers)
    await inFlight(world, 1)
    await first.manager.close()
    await settled
    const value = await second.tokens.appAccessToken()
    expect(world.clock.monotonic()).toBe(0)
    expect(world.simulator.judge(value)).toBe('valid')
    expect(world.mints()).toBe(2)
    expect(world.simulator.requests[0]?.end).toBe('client-left')
  })

  test('and its lease are given up for a node that waits already, too', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    world.simulator.fault(MINT, { kind: 'hang' })
    const settled = closed([first.tokens.app.get()])
    await inFlight(world, 1)
    const value = watched(second.tokens.appAccessToken())
    await quiet()
    expect(value.outcome).toBe('pending')
    await first.manager.close()
    await settled
    await eventually(() => value.outcome === 'resolved')
    expect(world.clock.monotonic()).toBe(0)
    expect(world.mints()).toBe(2)
  })

  test('is finished within graceMs: its callers get the token, and another node finds it without a request', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    world.simulator.fault(MINT, { kind: 'delay', ms: 2_000 })
    const callers = Array.from({ length: 10 }, () => first.tokens.app.get())
    await inFlight(world, 1)
    const ended = watched(first.manager.close({ graceMs: 5_000 }))
    // Nobody new is let in.
    await closed([first.tokens.app.get()])
    await pass(world.clock, 1_999)
    expect(ended.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect(ended.outcome).toBe('resolved')
    const tokens = new Set((await Promise.all(callers)).map(({ value }) => value))
    expect(tokens.size).toBe(1)
    expect(tokens.has(await second.tokens.appAccessToken())).toBe(true)
    expect(world.mints()).toBe(1)
    await second.manager.close()
    expect(world.clock.pending).toBe(0)
  })

  test('that nobody waits for is finished within graceMs just the same', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(withChance(0)), world.node(withChance(0))]
    const old = await first.tokens.app.get()
    world.simulator.fault(MINT, { kind: 'delay', ms: 2_000 })
    await pass(world.clock, DUE)
    const ended = first.manager.close({ graceMs: 5_000 })
    await pass(world.clock, 2_000)
    await ended
    expect((await recordOf(world, second, 'app-access-token')).version).toBeGreaterThan(old.version)
    expect((await second.tokens.app.get()).version).toBeGreaterThan(old.version)
    expect(world.mints()).toBe(2)
  })

  test('that outlasts graceMs is given up, and its lease too', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    world.simulator.fault(MINT, { kind: 'delay', ms: 6_000 })
    const settled = closed([first.tokens.app.get()])
    await inFlight(world, 1)
    const ended = watched(first.manager.close({ graceMs: 1_000 }))
    await pass(world.clock, 999)
    expect(ended.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect(ended.outcome).toBe('resolved')
    await settled
    const value = await second.tokens.appAccessToken()
    expect(world.clock.monotonic()).toBe(1_000)
    expect(world.simulator.judge(value)).toBe('valid')
  })

  test('that fails within graceMs is not tried again, and its callers are told', async () => {
    const world = await createWorld()
    const node = world.node()
    const failing = world.simulator.fault(MINT, { kind: 'hang' })
    const settled = closed([node.tokens.app.get()])
    await inFlight(world, 1)
    const ended = watched(node.manager.close({ graceMs: 20_000 }))
    await pass(world.clock, 6_999)
    expect(ended.outcome).toBe('pending')
    await pass(world.clock, 1)
    expect(ended.outcome).toBe('resolved')
    await settled
    expect([failing.hits, world.mints(), world.clock.pending]).toEqual([1, 1, 0])
  })

  test('a grace with nothing in flight takes no time', async () => {
    const world = await createWorld()
    const node = world.node()
    await node.tokens.app.get()
    await quiet()
    expect(await settlesInOneTurn(node.manager.close({ graceMs: 60_000 }))).toBe(true)
    expect(world.clock.pending).toBe(0)
  })

  test('a second close() ends with the first', async () => {
    const world = await createWorld()
    const node = world.node()
    world.simulator.fault(MINT, { kind: 'delay', ms: 2_000 })
    const caller = node.tokens.app.get()
    await inFlight(world, 1)
    const both = [watched(node.manager.close({ graceMs: 5_000 })), watched(node.manager.close())]
    await pass(world.clock, 2_000)
    expect(both.map(({ outcome }) => outcome)).toEqual(['resolved', 'resolved'])
    expect(world.simulator.judge((await caller).value)).toBe('valid')
  })
})

describe('a store that does not answer', () => {
  test.each(['claim', 'publish', 'settle', 'read', 'invalidate', 'subscribe'] as const)(
    'to %s holds close() up for 4 seconds at most',
    async (operation) => {
      const world = await createWorld()
      const store = flaky(world.store, world.clock)
      const node = world.node({ store, ...withChance(0) })
      const other = world.node()
      if (operation === 'subscribe') {
        world.simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
        other.tokens.app.get().catch(() => {})
        await inFlight(world, 1)
      }
      const token = operation === 'invalidate' ? await node.tokens.app.get() : undefined
      await quiet()
      store.always(operation, { kind: 'drop-request' })
      if (operation === 'settle') world.simulator.fault(MINT, { kind: 'hang' })
      const caller = watched(node.tokens.app.get())
      if (token !== undefined) void node.tokens.app.reject(token)
      await quiet()
      const ended = watched(node.manager.close())
      await pass(world.clock, 4_000)
      expect(ended.outcome).toBe('resolved')
      expect(caller.outcome).not.toBe('pending')
      await other.manager.close()
      expect(world.clock.pending).toBe(0)
    },
  )

  test.each([
    ['when the next try is waited for', 'throw'],
    ['in the middle of a try', 'drop-request'],
  ] as const)('to a publication has its lease given back by a manager that is closed %s: another node mints at once', async (_, kind) => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [first, second] = [world.node({ store }), world.node()]
    store.always('publish', { kind })
    await first.tokens.appAccessToken()
    await quiet()
    expect(await recordOf(world, second, 'app-access-token')).toMatchObject({ version: 0, lease: expect.anything() })
    const ended = first.manager.close()
    // A second for each of two tries.
    if (kind === 'drop-request') await pass(world.clock, 2_000)
    await ended
    const now = world.clock.monotonic()
    expect((await recordOf(world, second, 'app-access-token')).lease).toBeUndefined()
    expect(world.simulator.judge(await second.tokens.appAccessToken())).toBe('valid')
    expect(world.clock.monotonic()).toBe(now)
    expect(world.mints()).toBe(2)
  })

  test('to a claim until the manager was closed has the lease it grants given back', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [first, second] = [world.node({ store }), world.node()]
    store.next('claim', { kind: 'delay', ms: 500 })
    const settled = closed([first.tokens.app.get()])
    await quiet()
    const ended = first.manager.close()
    await pass(world.clock, 500)
    await ended
    await settled
    expect(world.simulator.judge(await second.tokens.appAccessToken())).toBe('valid')
    expect(world.clock.monotonic()).toBe(500)
    expect(world.mints()).toBe(1)
  })
})

describe('close()', () => {
  test('may be called again and at the same time, and ends once', async () => {
    const world = await createWorld()
    let closes = 0
    const store: TokenStore = {
      ...memoryStore({ clock: world.clock }),
      close: async () => {
        closes += 1
      },
    }
    const node = world.node({ store })
    await Promise.all([node.manager.close(), node.manager.close(), node.manager[Symbol.asyncDispose]()])
    await node.manager.close()
    expect(closes).toBe(1)
  })

  test('leaves a store open that another manager uses', async () => {
    const world = await createWorld()
    let closes = 0
    const store: TokenStore = {
      ...memoryStore({ clock: world.clock }),
      close: async () => {
        closes += 1
      },
    }
    const [first, second] = [world.node({ store }), world.node({ store })]
    await first.manager.close()
    expect(closes).toBe(0)
    await second.manager.close()
    expect(closes).toBe(1)
  })

  test('of an app leaves the manager it was given open for others, and refuses this app’s calls', async () => {
    const world = await createWorld()
    const node = world.node()
    await node.tokens.appAccessToken()
    await node.tokens.close()
    await closed([node.tokens.appAccessToken(), node.tokens.ready()])
    const other = node.manager.token({ key: 'other', fetch: async () => ({ value: randomSecret(), expiresInMs: HOUR }) })
    expect((await other.get()).value).toHaveLength(32)
  })

  test('refuses a grace out of range, naming it', async () => {
    const world = await createWorld()
    const { manager } = world.node()
    for (const graceMs of [-1, 60_001, 1.5, Number.NaN, '5']) {
      const attempt = async () => manager.close({ graceMs: graceMs as number })
      const error = await errorOf(attempt())
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toContain('graceMs')
    }
  })

  test('is what the end of an `await using` block calls', async () => {
    const world = await createWorld()
    const { appId, appSecret, store } = world
    const tokens = createFeishuTokens({ appId, appSecret, store, domain: world.simulator.url })
    expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
    await tokens[Symbol.asyncDispose]()
    await closed([tokens.appAccessToken(), tokens.app.get()])
  })
})

describe('a process of its own, on the machine’s clock', () => {
  test('ends within a second of close(), and nothing is left open', async () => {
    const { lines, code, lastMs } = await child('close')
    expect(lines).toMatchObject([{ had: true }, { resources: [] }, { done: 'close' }])
    expect(code).toBe(0)
    expect(lastMs).toBeLessThan(1_000)
  })

  test('ends within a second of close() with a request in flight and callers waiting', async () => {
    const { lines, code, lastMs } = await child('close-in-flight', { hang: true })
    expect(lines).toMatchObject([{ outcomes: Array.from({ length: 10 }, () => 'CLOSED'), resources: [] }, { done: 'close-in-flight' }])
    expect(lines[0]?.closedAfterMs).toBeLessThan(1_000)
    expect(code).toBe(0)
    expect(lastMs).toBeLessThan(1_000)
  })

  test('is not kept alive by a manager with a token, timers and a warm connection', async () => {
    const { lines, code, lastMs } = await child('idle')
    expect(lines).toMatchObject([{ had: true }, { done: 'idle' }])
    expect(code).toBe(0)
    expect(lastMs).toBeLessThan(1_000)
  })

  test('is kept alive by a caller that waits, through a 500 and the backoff after it', async () => {
    const { lines, code, requests } = await child('wait', { failFirst: true })
    expect(lines).toMatchObject([{ had: true }, { done: 'wait' }])
    expect(code).toBe(0)
    expect(requests).toBe(2)
  })

  test('is kept alive by a caller to the end of its patience, and no longer', async () => {
    const { lines, code, lastMs } = await child('wait-in-vain', { ticket: false })
    expect(lines).toMatchObject([{ code: 'TICKET_UNAVAILABLE' }, { done: 'wait-in-vain' }])
    expect(code).toBe(0)
    expect(lastMs).toBeLessThan(1_000)
  })
})

interface Said extends Readonly<Record<string, unknown>> {
  readonly at: number
}

interface Ended {
  /** What the child said, line by line. */
  readonly lines: readonly Said[]
  readonly code: number | null
  /** Milliseconds between the child's last word and its end. */
  readonly lastMs: number
  readonly requests: number
}

async function child(
  task: string,
  { hang = false, failFirst = false, ticket = true }: { hang?: boolean; failFirst?: boolean; ticket?: boolean } = {},
): Promise<Ended> {
  const appId = 'cli_child'
  const appSecret = randomSecret('app secret')
  const simulator = await startFeishuSimulator({
    apps: [{ appId, appSecret, verificationToken: randomSecret('verification token') }],
    pushTickets: 'manual',
  })
  onTestFinished(() => simulator.close())
  if (hang) simulator.fault(MINT, { kind: 'hang' }, ALWAYS)
  if (failFirst) simulator.fault(MINT, { kind: 'status', status: 500 })
  const given = ticket ? [secret(simulator.issueTicket(appId), 'app ticket')] : []
  const script = fileURLToPath(new URL('../support/child.ts', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-child-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'output')
  const output = openSync(file, 'w')
  const started = spawn(process.execPath, ['--no-warnings', script, task, simulator.url, appId, appSecret, ...given], {
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  onTestFinished(() => void started.kill('SIGKILL'))
  const code = await new Promise<number | null>((resolve, reject) => {
    started.on('error', reject)
    started.on('exit', resolve)
  })
  const endedAt = Date.now()
  const said = readFileSync(file, 'utf8')
  record('child', said)
  const lines = said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Said)
  return { lines, code, lastMs: endedAt - (lines.at(-1)?.at ?? 0), requests: simulator.counters().requests[MINT] }
}
