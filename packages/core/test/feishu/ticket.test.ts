import type { TokenEvent } from '@tokenwell/core'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { describe, expect, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import {
  createWorld,
  giveTicket,
  HOUR,
  listen,
  MINUTE,
  type Node,
  pass,
  quiet,
  recordOf,
  renew,
  ticketsSent,
  type World,
} from '../support/world.ts'

function types(node: Node): TokenEvent['type'][] {
  return node.events.map(({ type }) => type).filter((type) => type.startsWith('ticket-'))
}

/** A ticket that the upstream takes, not yet given to anybody. */
function issue(world: World): string {
  return secret(world.simulator.issueTicket(world.appId), 'app ticket')
}

/** Seconds with a fraction, as events carry them, `ms` from now. */
function ts(world: World, ms: number): string {
  return ((world.clock.wall() + ms) / 1_000).toFixed(6)
}

describe('a refused ticket', () => {
  test('is given up for a newer one, which the platform is asked for', async () => {
    const world = await createWorld()
    const node = world.node()
    const { value: old } = await recordOf(world, node, 'app-ticket')
    world.simulator.invalidateTicket(world.appId)
    const values = await Promise.all(Array.from({ length: 50 }, () => node.tokens.appAccessToken()))
    expect(new Set(values).size).toBe(1)
    expect(world.simulator.judge(values[0] ?? '')).toBe('valid')
    const sent = ticketsSent(world)
    expect(sent).toHaveLength(2)
    expect(sent[0]).toBe(old)
    expect(sent[1]).not.toBe(old)
    expect(world.resends()).toBe(1)
    expect(types(node)).toContain('ticket-rejected')
  })

  test('costs one failed mint for a fleet of nodes that all hold it', async () => {
    const world = await createWorld({ behaviour: { resendDelayMs: 3_000 } })
    const nodes = Array.from({ length: 4 }, () => world.node())
    await Promise.all(nodes.map(({ tokens }) => tokens.appAccessToken()))
    world.simulator.invalidateTicket(world.appId)
    const token = await world.node().tokens.app.get()
    world.simulator.revoke(world.appId, { next: 'new' })
    const mints = world.mints()
    const all = Promise.all(nodes.map(({ tokens }) => tokens.app.reject(token).then(() => tokens.appAccessToken())))
    await pass(world.clock, 3_000)
    expect(new Set(await all).size).toBe(1)
    expect([world.mints() - mints, world.resends()]).toEqual([2, 1])
  })

  test('is never sent again, though it is delivered again before and after a newer one comes', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const node = world.node()
    const { delivery } = await world.simulator.pushTicket(world.appId)
    await node.tokens.appAccessToken()
    world.simulator.invalidateTicket(world.appId)
    const next = renew(world, node)
    await quiet()
    expect(await world.simulator.redeliver(delivery)).toMatchObject({ acknowledged: true })
    await pass(world.clock, 5_000)
    expect(ticketsSent(world)).toEqual([delivery.ticket, delivery.ticket])

    const { delivery: newer } = await world.simulator.pushTicket(world.appId)
    expect(world.simulator.judge(await next)).toBe('valid')
    expect(await world.simulator.redeliver(delivery)).toMatchObject({ acknowledged: true })
    for (const each of [node, world.node()]) {
      await pass(world.clock, 10_000)
      await renew(world, each)
    }
    expect(ticketsSent(world).slice(2)).toEqual([newer.ticket, newer.ticket, newer.ticket])
    expect(types(node).at(-1)).toBe('ticket-ignored')
  })

  test('is not sent again when its redelivery carries a new time, while it is the last one known', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR, redeliveryTs: 'new' } })
    const node = world.node()
    const { delivery } = await world.simulator.pushTicket(world.appId)
    world.simulator.invalidateTicket(world.appId)
    const value = node.tokens.appAccessToken()
    await quiet()
    await world.clock.advance(2_000)
    await world.simulator.redeliver(delivery)
    await pass(world.clock, 5_000)
    expect(ticketsSent(world)).toEqual([delivery.ticket])
    await world.simulator.pushTicket(world.appId)
    expect(world.simulator.judge(await value)).toBe('valid')
  })

  test('is not sent again by the node that knows its event, whatever new time its redelivery carries', async () => {
    const world = await createWorld({ ticket: false, behaviour: { redeliveryTs: 'new' } })
    const node = world.node()
    const { delivery } = await world.simulator.pushTicket(world.appId)
    await node.tokens.appAccessToken()
    world.simulator.invalidateTicket(world.appId)
    await renew(world, node)
    await world.clock.advance(2 * MINUTE)
    await world.simulator.redeliver(delivery)
    await world.simulator.redeliver(delivery)
    expect(world.simulator.judge(await renew(world, node))).toBe('valid')
    expect(ticketsSent(world).filter((ticket) => ticket === delivery.ticket)).toHaveLength(2)
    expect(world.resends()).toBe(1)
  })

  test('does not shut out an older one that was first taken for outdated: offered again, it is minted with', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const node = world.node()
    const good = issue(world)
    const dead = issue(world)
    await node.tokens.acceptAppTicket({ ticket: dead, eventTime: ts(world, 0), id: 'dead' })
    world.simulator.invalidateTicket(world.appId, dead)
    expect(await node.tokens.acceptAppTicket({ ticket: good, eventTime: ts(world, -1_000), id: 'good' })).toBe('ignored')
    const value = node.tokens.appAccessToken()
    await quiet()
    expect(await node.tokens.acceptAppTicket({ ticket: good, eventTime: ts(world, -1_000), id: 'good' })).toBe('accepted')
    await pass(world.clock, 3_000)
    expect(world.simulator.judge(await value)).toBe('valid')
  })

  test('and another refused one, delivered again in turn, cost at most one failed mint each time', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const node = world.node()
    const { delivery: first } = await world.simulator.pushTicket(world.appId)
    await world.clock.advance(1_000)
    const { delivery: second } = await world.simulator.pushTicket(world.appId)
    world.simulator.invalidateTicket(world.appId)
    const value = node.tokens.app.get({ timeoutMs: 600_000 })
    await quiet()
    expect(ticketsSent(world)).toEqual([second.ticket])
    for (let turn = 1; turn <= 6; turn += 1) {
      await world.simulator.redeliver(turn % 2 === 1 ? first : second)
      await pass(world.clock, 20_000)
      expect(world.mints()).toBeLessThanOrEqual(1 + turn)
    }
    await world.simulator.pushTicket(world.appId)
    expect(world.simulator.judge((await value).value)).toBe('valid')
    expect(world.mints()).toBeLessThanOrEqual(8)
  })

  test('ends the wait of a caller with an error that carries the refusal', async () => {
    const world = await createWorld({ behaviour: { resendDelayMs: HOUR } })
    world.simulator.invalidateTicket(world.appId)
    const error = errorOf(world.node().tokens.appAccessToken())
    await pass(world.clock, 15_000)
    expect(await error).toMatchObject({
      code: 'TICKET_UNAVAILABLE',
      retryable: true,
      cause: { code: 'TICKET_REJECTED', upstream: { code: 10012, logId: world.simulator.requests[0]?.logId } },
    })
    expect(((await error) as Error).message).toContain('since the last one was refused')
  })

  test('leaves no lease behind while a newer one is waited for', async () => {
    const world = await createWorld({ behaviour: { resendDelayMs: HOUR } })
    world.simulator.invalidateTicket(world.appId)
    const node = world.node()
    const error = errorOf(node.tokens.app.get({ timeoutMs: 3_000 }))
    await quiet()
    expect(await recordOf(world, node, 'app-access-token')).not.toHaveProperty('lease')
    await pass(world.clock, 3_000)
    await error
  })
})

describe('a ticket that one node received', () => {
  test('is used by another', async () => {
    const world = await createWorld({ ticket: false })
    const [first, second] = [world.node(), world.node()]
    const { delivery, acknowledged } = await world.simulator.pushTicket(world.appId)
    expect([acknowledged, types(first), types(second)]).toEqual([true, ['ticket-accepted'], []])
    expect(world.simulator.judge(await second.tokens.appAccessToken())).toBe('valid')
    expect([ticketsSent(world), world.resends()]).toEqual([[delivery.ticket], 0])
  })

  test('outlives it: a node that starts after all others have closed finds it', async () => {
    const world = await createWorld({ ticket: false })
    const nodes = [world.node(), world.node()]
    const { delivery } = await world.simulator.pushTicket(world.appId)
    for (const { manager } of nodes) await manager.close()
    await world.clock.advance(48 * HOUR)
    expect(world.simulator.judge(await world.node().tokens.appAccessToken())).toBe('valid')
    expect([ticketsSent(world), world.resends()]).toEqual([[delivery.ticket], 0])
  })

  test('is not displaced by an older one that reaches another node late', async () => {
    const world = await createWorld({ ticket: false })
    const [first, second] = [world.node(), world.node()]
    const { delivery: older } = await world.simulator.pushTicket(world.appId)
    await world.clock.advance(HOUR)
    const { delivery: newer } = await world.simulator.pushTicket(world.appId)
    world.simulator.setEventUrl(
      world.appId,
      await listen((request, response) => void createNodeEventHandler(second.tokens)(request, response)),
    )
    expect(await world.simulator.redeliver(older)).toMatchObject({ acknowledged: true, status: 200 })
    expect(types(second)).toEqual(['ticket-ignored'])
    expect(await recordOf(world, first, 'app-ticket')).toMatchObject({ value: newer.ticket })
    await first.tokens.appAccessToken()
    await renew(world, second)
    expect(ticketsSent(world)).toEqual([newer.ticket, newer.ticket])
  })

  test('serves the next mint of every node once it is newer, though the token they have stays', async () => {
    const world = await createWorld()
    const [first, second] = [world.node(), world.node()]
    const token = await first.tokens.appAccessToken()
    await world.clock.advance(1_000)
    const { delivery } = await world.simulator.pushTicket(world.appId)
    expect(await second.tokens.appAccessToken()).toBe(token)
    expect(world.mints()).toBe(1)
    await renew(world, second)
    expect(ticketsSent(world).at(-1)).toBe(delivery.ticket)
  })
})

describe('acceptAppTicket', () => {
  test('takes the time of the event as its ts, to the microsecond', async () => {
    const world = await createWorld({ ticket: false })
    const node = world.node()
    const [older, newer] = [issue(world), issue(world)]
    const seconds = Math.floor(world.clock.wall() / 1_000)
    expect(await node.tokens.acceptAppTicket({ ticket: newer, eventTime: `${seconds}.0000029`, id: 'b' })).toBe('accepted')
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ version: seconds * 1_000_000 + 2, value: newer })
    expect(await node.tokens.acceptAppTicket({ ticket: older, eventTime: `${seconds}.000001`, id: 'a' })).toBe('ignored')
    expect(await node.tokens.acceptAppTicket({ ticket: older, eventTime: `${seconds}.000003`, id: 'c' })).toBe('accepted')
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ version: seconds * 1_000_000 + 3, value: older })
    expect(types(node)).toEqual(['ticket-accepted', 'ticket-ignored', 'ticket-accepted'])
  })

  test('takes the time of the event as a Date', async () => {
    const world = await createWorld({ ticket: false })
    const node = world.node()
    const eventTime = new Date(world.clock.wall() - MINUTE)
    expect(await node.tokens.acceptAppTicket({ ticket: issue(world), eventTime })).toBe('accepted')
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ version: eventTime.getTime() * 1_000 })
    expect(world.simulator.judge(await node.tokens.appAccessToken())).toBe('valid')
  })

  test('knows a ticket again that comes twice without an id', async () => {
    const world = await createWorld({ ticket: false })
    const node = world.node()
    const ticket = issue(world)
    await node.tokens.acceptAppTicket({ ticket, eventTime: ts(world, 0) })
    const before = await recordOf(world, node, 'app-ticket')
    expect(await node.tokens.acceptAppTicket({ ticket, eventTime: ts(world, 1_000) })).toBe('accepted')
    expect(await recordOf(world, node, 'app-ticket')).toEqual(before)
  })

  test('changes nothing for an id that the store knows, whatever comes with it', async () => {
    const world = await createWorld({ ticket: false })
    const node = world.node()
    const [first, second] = [issue(world), issue(world)]
    await node.tokens.acceptAppTicket({ ticket: first, eventTime: ts(world, 0), id: 'same' })
    await node.tokens.acceptAppTicket({ ticket: second, eventTime: ts(world, 1_000), id: 'same' })
    expect(await recordOf(world, node, 'app-ticket')).toMatchObject({ value: first })
    await node.tokens.appAccessToken()
    expect(ticketsSent(world)).toEqual([first])
  })

  test('wakes the callers that wait for a ticket', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const [first, second] = [world.node(), world.node()]
    const values = Promise.all([first.tokens.appAccessToken(), second.tokens.appAccessToken()])
    await pass(world.clock, 4_000)
    await second.tokens.acceptAppTicket({ ticket: issue(world), eventTime: new Date(world.clock.wall()) })
    expect(new Set(await values).size).toBe(1)
    expect(world.mints()).toBe(1)
  })

  test('refuses a time more than ten minutes ahead of the store, and keeps nothing of the ticket', async () => {
    const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
    const node = world.node()
    const ticket = issue(world)
    for (const ahead of [10 * MINUTE + 1, HOUR, 100 * 365 * 24 * HOUR]) {
      expect(await node.tokens.acceptAppTicket({ ticket, eventTime: new Date(world.clock.wall() + ahead), id: `${ahead}` })).toBe('refused')
    }
    expect(types(node)).toEqual(['ticket-refused', 'ticket-refused', 'ticket-refused'])
    const { value, version } = await recordOf(world, node, 'app-ticket')
    expect([value, version]).toEqual([undefined, 0])
    const error = errorOf(node.tokens.appAccessToken())
    await pass(world.clock, 15_000)
    expect(await error).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
    expect(world.mints()).toBe(0)
  })

  test('takes a time less than ten minutes ahead', async () => {
    const world = await createWorld({ ticket: false })
    const { tokens } = world.node()
    expect(await tokens.acceptAppTicket({ ticket: issue(world), eventTime: new Date(world.clock.wall() + 9 * MINUTE) })).toBe('accepted')
    expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
  })

  test.each([
    ['ticket', { ticket: '', eventTime: '1' }],
    ['ticket', { ticket: 7, eventTime: '1' }],
    ['eventTime', { ticket: 'a-ticket-of-some-length' }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: 1_760_000_000 }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: '1760000000000' }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: 'now' }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: '-1' }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: new Date(Number.NaN) }],
    ['eventTime', { ticket: 'a-ticket-of-some-length', eventTime: new Date(-1) }],
    ['id', { ticket: 'a-ticket-of-some-length', eventTime: '1', id: '' }],
    ['uuid', { ticket: 'a-ticket-of-some-length', eventTime: '1', uuid: 'x' }],
  ])('names %s when it is wrong', async (name, input) => {
    const world = await createWorld({ ticket: false })
    const error = await errorOf(world.node().tokens.acceptAppTicket(input as never))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain(name)
    expect((error as Error).message).not.toContain('a-ticket-of')
  })

  test('is over once the tokens are closed', async () => {
    const world = await createWorld({ ticket: false })
    const { tokens } = world.node()
    await tokens.close()
    expect(await errorOf(tokens.acceptAppTicket({ ticket: issue(world), eventTime: ts(world, 0) }))).toMatchObject({ code: 'CLOSED' })
  })
})

test('a hundred tickets in any order leave the newest, and the next mint takes it', async () => {
  const world = await createWorld({ ticket: false })
  const nodes = [world.node(), world.node()]
  const tickets = Array.from({ length: 100 }, (_, index) => ({
    ticket: issue(world),
    eventTime: ts(world, index * 10),
    id: `event-${index}`,
  }))
  const shuffled = tickets.map((ticket, index) => tickets[(index * 37) % 100] ?? ticket)
  const told = shuffled.map((ticket, index) => nodes[index % 2]?.tokens.acceptAppTicket(ticket))
  expect(new Set(await Promise.all(told))).toEqual(new Set(['accepted', 'ignored']))
  await nodes[0]?.tokens.appAccessToken()
  expect(ticketsSent(world)).toEqual([tickets.at(-1)?.ticket])
})

test('a ticket given while the token is being minted with an older one does not disturb the mint', async () => {
  const world = await createWorld()
  const node = world.node()
  const hanging = world.simulator.fault('app_access_token', { kind: 'hang' })
  const held = world.simulator.next('held')
  const value = node.tokens.appAccessToken()
  await held
  await giveTicket(world)
  hanging.release()
  expect(world.simulator.judge(await value)).toBe('valid')
  expect(world.mints()).toBe(1)
})
