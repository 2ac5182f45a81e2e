import * as lark from '@larksuiteoapi/node-sdk'
import { systemClock } from '@tokenwell/core'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { larkCache } from '@tokenwell/lark-sdk'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { SDKS } from './support/sdks.ts'
import { createWorld, receiveEvents, receiveWithDispatcher, settle, silent, type World, warnings } from './support/world.ts'

const ticketsUsed = ({ sim }: World) => sim.requests.flatMap(({ fields }) => fields.app_ticket ?? [])

describe.each(SDKS)('the dispatcher of SDK %s stays in place', (_, sdk) => {
  test.each(['v1', 'v2'] as const)('an encrypted %s ticket that comes to it is every process’s', async (schema) => {
    const world = await createWorld()
    const [here, there] = [world.node(), world.node()]
    await receiveWithDispatcher(world, larkCache(here), sdk)
    const { delivery, acknowledged } = await world.sim.pushTicket(world.app.appId, { schema })
    expect(acknowledged).toBe(true)
    expect(await world.client(larkCache(there), { sdk }).whoami('tenant-1')).toMatchObject({ tenant_key: 'tenant-1' })
    expect(ticketsUsed(world)).toEqual([delivery.ticket])
    expect(world.sim.counters().resends).toBe(0)
  })

  test('a forged event does not get past it', async () => {
    const world = await createWorld()
    await receiveWithDispatcher(world, larkCache(world.node()), sdk)
    const good = await world.sim.pushTicket(world.app.appId)
    await world.sim.pushTicket(world.app.appId, { ticket: 'forged', encrypted: false, encryptKey: 'wrong' })
    await world.client(larkCache(world.node()), { sdk }).whoami('tenant-1')
    expect(ticketsUsed(world)).toEqual([good.delivery.ticket])
  })

  test('or hands events on to it: Tokenwell verifies them and takes the tickets', async () => {
    const world = await createWorld()
    const tokens = world.node()
    const seen: unknown[] = []
    const dispatcher = new sdk.EventDispatcher({ logger: silent }).register({ app_open: (event: unknown) => seen.push(event) })
    await receiveEvents(world, createNodeEventHandler(tokens, { onEvent: (event) => dispatcher.invoke(event) }))
    await world.sim.pushTicket(world.app.appId)
    await world.sim.pushEvent(world.app.appId, { type: 'app_open', tenant_key: 'tenant-1' })
    expect(seen).toMatchObject([{ app_id: 'cli_world', tenant_key: 'tenant-1' }])
    expect(await world.client(larkCache(tokens), { sdk }).whoami('tenant-1')).toMatchObject({ tenant_key: 'tenant-1' })
  })
})

describe('an older ticket that is delivered again', () => {
  test('counts as the newest when it comes through the dispatcher; once refused it is replaced', async () => {
    const world = await createWorld()
    const tokens = world.node()
    await receiveWithDispatcher(world, larkCache(tokens))
    const older = await world.sim.pushTicket(world.app.appId)
    await world.sim.pushTicket(world.app.appId)
    world.sim.invalidateTicket(world.app.appId, older.delivery.ticket)
    await world.sim.redeliver(older.delivery)
    const renewed = world.sim.next('delivery')
    expect(await world.client(larkCache(tokens)).whoami('tenant-1')).toMatchObject({ tenant_key: 'tenant-1' })
    expect(ticketsUsed(world)).toEqual([older.delivery.ticket, (await renewed).delivery.ticket])
  })

  test('stays the older one when Tokenwell receives it', async () => {
    const world = await createWorld()
    const tokens = world.node()
    await receiveEvents(world, createNodeEventHandler(tokens))
    const older = await world.sim.pushTicket(world.app.appId)
    const newer = await world.sim.pushTicket(world.app.appId)
    await world.sim.redeliver(older.delivery)
    await world.client(larkCache(tokens)).whoami('tenant-1')
    expect(ticketsUsed(world)).toEqual([newer.delivery.ticket])
  })
})

describe('a ticket that cannot be taken is answered all the same, ends no process, and is warned of once', () => {
  test('one of another app, through a dispatcher that takes events from anybody', async () => {
    const world = await createWorld()
    const seen = warnings()
    const cache = larkCache(world.node())
    const open = new lark.EventDispatcher({ cache, logger: silent })
    await receiveEvents(world, lark.adaptDefault('/events', open))
    for (let times = 0; times < 3; times += 1) {
      const attempt = await world.sim.pushTicket(world.app.appId, { appId: 'cli_other', encrypted: false, ticket: 'forged' })
      expect(attempt.acknowledged).toBe(true)
    }
    await settle()
    expect(seen).toMatchObject([
      {
        name: 'TokenwellWarning',
        code: 'TOKENWELL_LARK_OTHER_APP',
        message:
          'An app_ticket of another app than cli_world was not taken. Make a cache and an EventDispatcher for each app, with its own encryptKey.',
      },
    ])
  })

  test('something that is no ticket', async () => {
    const world = await createWorld()
    const seen = warnings()
    const cache = larkCache(world.node())
    expect(await cache.set(lark.CAppTicket, { not: 'a ticket' }, undefined, { namespace: world.app.appId })).toBe(false)
    await settle()
    expect(seen).toMatchObject([
      {
        code: 'TOKENWELL_LARK_TICKET',
        message:
          'An app_ticket of cli_world could not be stored. ticket: expected a string of 1 to 10000 characters, got a value of type object',
      },
    ])
  })

  test('one that comes while the store is down: the process keeps it, and stores it when it can', async () => {
    const world = await createWorld()
    const seen = warnings()
    const store = flaky(world.store, systemClock)
    const tokens = world.node({ store })
    const cache = larkCache(tokens)
    await receiveWithDispatcher(world, cache)
    store.always('all', { kind: 'throw' })
    expect((await world.sim.pushTicket(world.app.appId)).acknowledged).toBe(true)
    await settle()
    expect(seen).toMatchObject([{ code: 'TOKENWELL_LARK_TICKET' }])
    store.restore()
    expect(await world.client(cache).whoami('tenant-1')).toMatchObject({ tenant_key: 'tenant-1' })
    expect(world.sim.counters().resends).toBe(0)
  })

  test('one that comes while this machine’s clock is far ahead', async () => {
    const world = await createWorld()
    const seen = warnings()
    const behind = memoryStore({ clock: { wall: () => Date.now() - 3_600_000 } })
    const cache = larkCache(world.node({ store: behind }))
    expect(await cache.set(lark.CAppTicket, world.sim.issueTicket(world.app.appId), undefined, { namespace: world.app.appId })).toBe(false)
    await settle()
    expect(seen).toMatchObject([
      {
        code: 'TOKENWELL_LARK_CLOCK',
        message:
          "An app_ticket of cli_world was refused: the clock of this machine is more than 10 minutes ahead of the store's. Set it right.",
      },
    ])
  })
})
