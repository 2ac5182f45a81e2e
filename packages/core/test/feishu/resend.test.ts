import type { TokenEvent } from '@tokenwell/core'
import { flaky } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import { createWorld, HOUR, MINUTE, type Node, pass, RESEND, type World } from '../support/world.ts'

const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

/** Where nobody listens: every event is lost. */
const NOWHERE = 'http://127.0.0.1:1/events'

/** Milliseconds between one resend request and the next. */
function gapsOfResends(world: World): number[] {
  const times = world.simulator.requests.filter(({ endpoint }) => endpoint === RESEND).map(({ receivedAtMs }) => receivedAtMs)
  return times.slice(1).map((time, index) => time - (times[index] ?? 0))
}

function told(node: Node, type: TokenEvent['type']): number {
  return node.events.filter((event) => event.type === type).length
}

/** A fleet whose callers never stop asking: each node has one caller at any time. Returns the codes of the errors they got. */
async function keepAsking(world: World, nodes: readonly Node[], ms: number): Promise<unknown[]> {
  const codes: unknown[] = []
  for (let left = ms; left > 0; left -= 15_000) {
    const errors = nodes.map(({ tokens }) => errorOf(tokens.appAccessToken()))
    await pass(world.clock, Math.min(left, 15_000))
    codes.push(...(await Promise.all(errors)).map((error) => (error as { code?: unknown }).code))
  }
  return codes
}

test('100 callers without a ticket ask for it once, and the pushed event wakes them all to one mint', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 5_000 } })
  const node = world.node()
  const all = Promise.all(many(100, () => node.tokens.appAccessToken()))
  await pass(world.clock, 4_999)
  expect([world.resends(), world.mints()]).toEqual([1, 0])
  const delivered = world.simulator.next('delivery')
  await pass(world.clock, 1)
  expect(await delivered).toMatchObject({ acknowledged: true })
  const pushedAt = world.clock.monotonic()
  const values = await all
  expect(world.clock.monotonic() - pushedAt).toBeLessThanOrEqual(50)
  expect(new Set(values).size).toBe(1)
  expect(world.simulator.judge(values[0] ?? '')).toBe('valid')
  expect([world.resends(), world.mints(), told(node, 'ticket-requested')]).toEqual([1, 1, 1])
})

test('callers of a node that the event did not reach are woken by it just the same', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 5_000 } })
  const nodes = many(3, () => world.node())
  const all = Promise.all(nodes.flatMap(({ tokens }) => many(50, () => tokens.appAccessToken())))
  await pass(world.clock, 5_000)
  const pushedAt = world.clock.monotonic()
  expect(new Set(await all).size).toBe(1)
  expect(world.clock.monotonic() - pushedAt).toBeLessThanOrEqual(50)
  expect([world.resends(), world.mints()]).toEqual([1, 1])
})

test('a store without hints wakes them within half a second', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 5_000 } })
  const { subscribe: _without, ...store } = world.store
  const silent = { ...store, capabilities: { ...store.capabilities, push: false } }
  const [first, second] = [world.node({ store: silent }), world.node({ store: silent })]
  const value = second.tokens.appAccessToken()
  await pass(world.clock, 5_500)
  expect(await value).toBe(await first.tokens.appAccessToken())
  expect([world.resends(), world.mints()]).toEqual([1, 1])
})

test('when no event arrives, every caller learns within 15 seconds what to check', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.setEventUrl(world.appId, NOWHERE)
  const { tokens } = world.node()
  const errors = many(20, () => errorOf(tokens.appAccessToken()))
  await pass(world.clock, 15_000)
  for (const error of await Promise.all(errors)) {
    expect(error).toMatchObject({ name: 'TokenError', code: 'TICKET_UNAVAILABLE', retryable: true })
    const { message } = error as Error
    for (const clue of [world.appId, 'developer console', 'request URL', 'receiveEvent()', 'verificationToken', 'encryptKey']) {
      expect(message).toContain(clue)
    }
  }
  expect(world.mints()).toBe(0)
})

test('two nodes that wait for a ticket ask for it once a minute between them', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.setEventUrl(world.appId, NOWHERE)
  const nodes = [world.node(), world.node()]
  const codes = await keepAsking(world, nodes, 5 * MINUTE)
  expect(new Set(codes)).toEqual(new Set(['TICKET_UNAVAILABLE']))
  expect(Math.min(...gapsOfResends(world))).toBeGreaterThanOrEqual(MINUTE)
  expect(world.resends()).toBeGreaterThanOrEqual(4)
  expect(world.resends()).toBeLessThanOrEqual(6)
  expect(world.mints()).toBe(0)
})

test('a caller that gives up earlier leaves the others waiting for the same ticket', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 5_000 } })
  const { tokens } = world.node()
  const patient = tokens.appAccessToken()
  const controller = new AbortController()
  const aborted = errorOf(tokens.app.get({ signal: controller.signal }))
  const hasty = errorOf(tokens.app.get({ timeoutMs: 1_000 }))
  await pass(world.clock, 1_000)
  controller.abort(new Error('gone'))
  expect(await aborted).toMatchObject({ code: 'ABORTED' })
  expect(await hasty).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
  await pass(world.clock, 4_000)
  expect(world.simulator.judge(await patient)).toBe('valid')
  expect(world.resends()).toBe(1)
})

test('a resend that is refused for a wrong secret fails every caller of the fleet at once, for one request', async () => {
  const world = await createWorld({ ticket: false })
  const wrong = { tokens: { appSecret: 'a-secret-that-is-wrong' } }
  const [first, second] = [world.node(wrong), world.node(wrong)]
  const errors = await Promise.all(many(100, () => errorOf(first.tokens.appAccessToken())))
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'CONFIGURATION_REJECTED', retryable: false, upstream: { code: 10014 } })
    expect((error as { upstream?: { logId?: string } }).upstream?.logId).toBe(world.simulator.requests[0]?.logId)
  }
  expect(await errorOf(second.tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED', upstream: { code: 10014 } })
  expect(await errorOf(first.tokens.ready())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  expect([world.resends(), world.mints(), world.clock.monotonic()]).toEqual([1, 0, 0])
})

test('a probe that has a second is told within it, and an option that ready() does not have is refused', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 5_000 } })
  const { tokens } = world.node()
  const probe = errorOf(tokens.ready({ timeoutMs: 1_000 }))
  await pass(world.clock, 1_000)
  expect(await probe).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
  expect(world.clock.monotonic()).toBe(1_000)
  // As a program in JavaScript may call it.
  expect(await errorOf(tokens.ready({ timeout: 1_000 } as object))).toMatchObject({ name: 'TypeError' })
})

test('a corrected secret asks for the ticket at once, whatever the throttle says about the old one', async () => {
  const world = await createWorld({ ticket: false })
  const receiving = world.node()
  const wrong = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
  expect(await errorOf(wrong.tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  expect(world.simulator.judge(await receiving.tokens.appAccessToken())).toBe('valid')
  expect([world.resends(), world.clock.monotonic()]).toEqual([2, 0])
})

test('after a resend that got a 500 the next one serves the callers that still wait', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, { kind: 'status', status: 500 })
  const { tokens } = world.node()
  const all = Promise.all(many(20, () => tokens.appAccessToken()))
  await pass(world.clock, 13_000)
  expect(new Set(await all).size).toBe(1)
  expect([world.resends(), world.mints()]).toEqual([2, 1])
})

test.each([
  ['500', { kind: 'status', status: 500 }],
  ['a page of a proxy', { kind: 'html' }],
  ['a reset connection', { kind: 'reset' }],
  ['a transient code', { kind: 'code', code: 2200 }],
] as const)('resends that always end in %s are tried every 10 seconds at most by the whole fleet', async (_, fault) => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, fault, { times: Number.POSITIVE_INFINITY })
  const codes = await keepAsking(world, [world.node(), world.node()], 3 * MINUTE)
  expect(new Set(codes)).toEqual(new Set(['TICKET_UNAVAILABLE']))
  expect(Math.min(...gapsOfResends(world))).toBeGreaterThanOrEqual(10_000)
  expect(world.resends()).toBeGreaterThanOrEqual(6)
  expect(world.mints()).toBe(0)
})

test('the error of a caller whose resends failed says so', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
  const { tokens } = world.node()
  const error = errorOf(tokens.appAccessToken())
  await pass(world.clock, 14_000)
  expect(tokens.status()).toMatchObject([{ state: 'blocked', lastError: { cause: { upstream: { httpStatus: 500 } } } }])
  await pass(world.clock, 1_000)
  expect(await error).toMatchObject({ code: 'TICKET_UNAVAILABLE', cause: { code: 'UPSTREAM_UNAVAILABLE', upstream: { httpStatus: 500 } } })
  expect(((await error) as Error).message).not.toContain('was asked to push one')
})

test('it does so on a node that another node’s failure keeps from asking, until asking works again', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
  world.simulator.fault(RESEND, { kind: 'status', status: 503 })
  const [first, second] = [world.node(), world.node()]
  const errors = [errorOf(first.tokens.app.get({ timeoutMs: 5_000 })), errorOf(second.tokens.app.get({ timeoutMs: 5_000 }))]
  await pass(world.clock, 5_000)
  for (const error of await Promise.all(errors)) expect(error).toMatchObject({ cause: { upstream: { httpStatus: 503 } } })
  const later = errorOf(first.tokens.appAccessToken())
  await pass(world.clock, 15_000)
  expect(((await later) as Error).message).toContain('was asked to push one')
  expect(await later).not.toHaveProperty('cause')
  expect([world.resends(), world.mints()]).toEqual([2, 0])
})

test('a process that is told late of its turn to ask does not ask, and gives the turn back', async () => {
  const world = await createWorld({ ticket: false })
  const store = flaky(world.store, world.clock)
  const { tokens } = world.node({ store, manager: { storeTimeoutMs: 10_000 } })
  const key = `tokenwell/${tokens.app.key.replace('app-access-token', 'app-ticket-resend')}`
  store.next('claim', undefined, { kind: 'delay', ms: 7_500 })
  const error = errorOf(tokens.app.get({ timeoutMs: 9_000 }))
  await pass(world.clock, 8_000)
  expect(world.resends()).toBe(0)
  expect(store.calls.filter((call) => call.operation === 'settle' && call.key === key)).toHaveLength(1)
  await pass(world.clock, 1_000)
  expect(await error).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
})

test('a fleet that waits for a ticket without callers stops asking', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
  const { tokens } = world.node()
  const error = errorOf(tokens.app.get({ timeoutMs: 1_000 }))
  await pass(world.clock, 1_000)
  await error
  await pass(world.clock, 10 * MINUTE)
  expect(world.resends()).toBeLessThanOrEqual(3)
})

test.each([
  ['before the ticket is pushed', 'request'],
  ['after the ticket was pushed', 'reply'],
] as const)('a resend whose reply hangs %s does not hold up the callers of any node', async (_, at) => {
  const world = await createWorld({ ticket: false })
  const hanging = world.simulator.fault(RESEND, { kind: 'hang', at })
  const nodes = [world.node(), world.node()]
  const held = world.simulator.next('held')
  const values = Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken()))
  await held
  if (at === 'request') expect(await world.simulator.pushTicket(world.appId)).toMatchObject({ acknowledged: true })
  expect(new Set(await values).size).toBe(1)
  expect([hanging.hits, world.mints(), world.clock.monotonic()]).toEqual([1, 1, 0])
})

test('a resend that never gets a reply is given up after its deadline, and the next one brings the ticket', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, { kind: 'hang' })
  const node = world.node()
  const value = node.tokens.app.get({ timeoutMs: 60_000 })
  await pass(world.clock, 6_999)
  expect(world.simulator.counters().inFlight[RESEND]).toBe(1)
  await pass(world.clock, 1)
  expect(world.simulator.counters().inFlight[RESEND]).toBe(0)
  await pass(world.clock, 13_000)
  expect(world.simulator.judge((await value).value)).toBe('valid')
  expect([world.resends(), world.mints()]).toEqual([2, 1])
})

test('a resend that is rate limited is not repeated before the upstream allows it', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.fault(RESEND, { kind: 'rate-limit', resetSeconds: 40 })
  const codes = await keepAsking(world, [world.node(), world.node()], 30_000)
  expect(new Set(codes)).toEqual(new Set(['TICKET_UNAVAILABLE']))
  const { tokens } = world.node()
  const value = tokens.appAccessToken()
  await pass(world.clock, 14_000)
  expect(world.simulator.judge(await value)).toBe('valid')
  expect(world.resends()).toBe(2)
  expect(gapsOfResends(world)[0]).toBeGreaterThanOrEqual(40_000)
})

test('closing ends a wait for a ticket, and nothing asks for it afterwards', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
  const node = world.node()
  const error = errorOf(node.tokens.appAccessToken())
  await pass(world.clock, 3_000)
  await node.manager.close()
  expect(await error).toMatchObject({ code: 'CLOSED' })
  await pass(world.clock, 5 * MINUTE)
  expect(world.resends()).toBe(1)
})

test.each([0, 10, 30])('a ticket that comes %i s after many callers gave up one by one serves the next caller at once', async (s) => {
  const world = await createWorld({ ticket: false })
  world.simulator.setEventUrl(world.appId, NOWHERE)
  const { tokens } = world.node()
  for (let round = 0; round < 20; round += 1) {
    const error = errorOf(tokens.app.get({ timeoutMs: 1_000 }))
    await pass(world.clock, 20_000)
    expect(await error).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
  }
  await pass(world.clock, s * 1_000)
  await tokens.acceptAppTicket({ ticket: secret(world.simulator.issueTicket(world.appId)), eventTime: new Date(world.clock.wall()) })
  const at = world.clock.monotonic()
  expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
  expect(world.clock.monotonic() - at).toBe(0)
})
