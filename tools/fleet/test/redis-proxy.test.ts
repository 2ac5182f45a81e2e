import { type RedisServer, startProxy, startRedis, type TcpProxy } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import type { FleetNode } from '../index.ts'
import { MOMENTS } from './support/fault.ts'
import { FaultTable } from './support/fault-table.ts'
import { nodesWith } from './support/history.ts'
import { Ordeal } from './support/ordeal.ts'
import { passOver } from './support/redis.ts'
import { until } from './support/until.ts'

const table = new FaultTable('Faults of the way to Redis')
afterAll(() => table.print())

/** A fleet in which every process has a way of its own to the server. */
async function behindProxies(context: Pick<TestContext, 'onTestFinished'>, nodes = 4) {
  const server: RedisServer = await startRedis()
  context.onTestFinished(() => server.stop())
  const proxies: TcpProxy[] = []
  for (let index = 0; index < nodes; index++) {
    const proxy = await startProxy({ port: server.port })
    context.onTestFinished(() => proxy.stop())
    proxies.push(proxy)
  }
  const address = (index: number, keyPrefix: string) =>
    ({ kind: 'redis', url: `redis://127.0.0.1:${proxies[index]?.port}`, keyPrefix }) as const
  const ordeal = await Ordeal.start(context, { address, passInStore: passOver(() => new Redis(server.url)) }, nodes)
  const all = (act: (proxy: TcpProxy) => void) => {
    for (const proxy of proxies) act(proxy)
  }
  return { proxies, all, ordeal }
}

interface WireFault {
  readonly what: string
  readonly strike: (proxy: TcpProxy) => void
}

const FAULTS: readonly WireFault[] = [
  { what: 'replies swallowed', strike: (proxy) => proxy.swallowReplies() },
  { what: 'requests delivered late', strike: (proxy) => proxy.holdRequests() },
  { what: 'replies delivered late', strike: (proxy) => proxy.holdReplies() },
  { what: 'wire cut', strike: (proxy) => proxy.cut() },
]

describe.concurrent('every way to the store fails for a while', () => {
  test.for(FAULTS)('$what', { timeout: 120_000 }, async ({ what, strike }, context) => {
    const { all, ordeal } = await behindProxies(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({
        moment,
        strike: () => all(strike),
        async heal(holder) {
          // Until whoever has something to say has given it up for the first time.
          await ordeal.noticed(moment === 'claim' ? undefined : holder)
          all((proxy) => proxy.heal())
        },
      })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(what))
  })
})

describe.concurrent('the way of the holder alone fails before it publishes', () => {
  test.for(FAULTS)('$what', { timeout: 120_000 }, async ({ what, strike }, context) => {
    const { proxies, ordeal } = await behindProxies(context)
    await ordeal.begin()
    // Then its publication has been accepted, only it does not know.
    const arrives = what.startsWith('replies')
    let holder = ''
    const requests = await ordeal.rotateThrough({
      moment: 'publish',
      strike(number) {
        holder = `node ${number}`
        for (const proxy of proxies.slice(number, number + 1)) strike(proxy)
      },
      async heal(number) {
        await (arrives ? ordeal.noticed(number) : ordeal.takenOver(number))
        for (const proxy of proxies.slice(number, number + 1)) proxy.heal()
      },
    })
    expect(requests).toBe(arrives ? 1 : 2)
    expect(nodesWith(ordeal.fleet.history, 'superseded')).toEqual(new Set(arrives ? [] : [holder]))
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`holder alone: ${what}`))
  })
})

describe.concurrent('nothing valid is at hand', () => {
  test.for(FAULTS)('a cold start: $what', { timeout: 120_000 }, async ({ what, strike }, context) => {
    const { all, ordeal } = await behindProxies(context)
    const { fleet } = ordeal
    await ordeal.pushTicket(2)
    ordeal.strike(() => all(strike))
    await servedWithoutStore(ordeal, new Set(fleet.nodes.slice(0, 2)), all)
    table.add(await ordeal.end(`cold start: ${what}`))
  })

  test.for(FAULTS)('the token ends: $what', { timeout: 120_000 }, async ({ what, strike }, context) => {
    const { all, ordeal } = await behindProxies(context)
    const { fleet } = ordeal
    await ordeal.firstToken(2)
    const minted = nodesWith(fleet.history, 'granted')
    await ordeal.endInto(() => all(strike))
    await servedWithoutStore(ordeal, new Set(fleet.nodes.filter((node, index) => index < 2 || minted.has(node.name))), all)
    table.add(await ordeal.end(`token ended: ${what}`))
  })
})

test('an announcement that could not be looked into is not forgotten', { timeout: 120_000 }, async (context) => {
  const { proxies, ordeal } = await behindProxies(context)
  await ordeal.firstToken(4)
  const { fleet, version } = ordeal
  const late = fleet.nodes.find(({ name }) => name === 'node 3')
  const [rejecting, ...others] = fleet.nodes.filter((node) => node !== late)
  if (late === undefined || rejecting === undefined) throw new Error('a fleet of less than four')
  // It hears the announcements, over a connection that was there before, and its questions do not arrive.
  ordeal.strike(() => proxies[3]?.holdRequests())
  await rejecting.order('reject', undefined)
  // Whoever learns of the rejection before there is a new token has to wait for it: that is over before anything is counted.
  const onTime = [rejecting, ...others]
  await until('the others serve the new token', async () => {
    await fleet.burst(1, onTime)
    const served = fleet.history.filter((entry) => entry.kind === 'served' && entry.version > version)
    return onTime.every(({ name }) => served.some(({ node }) => node === name))
  })
  const from = fleet.history.length
  // Served at once with what is at hand; the record is read meanwhile.
  await fleet.burst(1, [late])
  await fleet.when('both tries of the read have failed', (history) => {
    const failed = history.slice(from).filter((entry) => entry.kind === 'store' && entry.node === late.name && entry.outcome === 'failed')
    return failed.length >= 2
  })
  proxies[3]?.release()
  ordeal.healed()
  await fleet.startLoad()
  await ordeal.recovered(version + 1)
  await ordeal.endLoad()
  table.add(await ordeal.end('an announcement, and no answer'))
})

/** Who knows the ticket fetches without the store, once in each process; who does not waits until the way is open again. */
async function servedWithoutStore(ordeal: Ordeal, knowing: ReadonlySet<FleetNode>, all: (act: (proxy: TcpProxy) => void) => void) {
  const { fleet, version } = ordeal
  const requests = fleet.requests
  const unknowing = fleet.nodes.filter((node) => !knowing.has(node))
  // Longer than everybody's own deadline: a lease that nobody knows of may have to run out.
  const waiting = fleet.burst(100, unknowing, 40_000)
  const alone = await fleet.burst(100, [...knowing])
  expect(alone.map(({ errors }) => errors)).toEqual(alone.map(() => ({})))
  expect(fleet.requests - requests).toBe(knowing.size)
  await ordeal.noticed()
  all((proxy) => proxy.heal())
  ordeal.healed()
  const late = await waiting
  expect(late.map(({ errors }) => errors)).toEqual(late.map(() => ({})))
  await fleet.startLoad()
  await ordeal.recovered(version + 1)
  // The lease goes to one that has a token to publish, or to one that knows nothing of it.
  expect([knowing.size, knowing.size + 1]).toContain(fleet.requests - requests)
  ordeal.note([...alone, ...late])
  await ordeal.rotate()
  await ordeal.endLoad()
}
