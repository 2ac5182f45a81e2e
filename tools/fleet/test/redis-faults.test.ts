import { setTimeout as passed } from 'node:timers/promises'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import { machineNow } from '../index.ts'
import { MOMENTS, type Moment } from './support/fault.ts'
import { FaultTable } from './support/fault-table.ts'
import { Ordeal, type Place } from './support/ordeal.ts'
import { passOver } from './support/redis.ts'

const KILLING_MS = 2_000

const table = new FaultTable('Faults of a Redis server')
afterAll(() => table.print())

/** A fleet on a server of its own. */
async function onRedis(context: Pick<TestContext, 'onTestFinished'>): Promise<{ server: RedisServer; admin: Redis; ordeal: Ordeal }> {
  const server = await startRedis()
  context.onTestFinished(() => server.stop())
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  context.onTestFinished(() => admin.disconnect())
  const place: Place = {
    address: (_, keyPrefix) => ({ kind: 'redis', url: server.url, keyPrefix }),
    passInStore: passOver(() => new Redis(server.url)),
  }
  return { server, admin, ordeal: await Ordeal.start(context, place) }
}

/** A lease is lost with the rest: who looks before the first request is published, by its timer or for a gap, may be granted another. */
function expectFewRequests(moment: Moment, requests: number): void {
  expect([moment, ...(moment === 'claim' ? [1] : [1, 2])]).toContain(requests)
}

describe.concurrent('a server that stands still', () => {
  test.for(['claim', 'publish'] as const)('CLIENT PAUSE 5000 before the %s', { timeout: 120_000 }, async (moment, context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin()
    const requests = await ordeal.rotateThrough({
      moment,
      strike: async () => void (await admin.call('CLIENT', 'PAUSE', '5000')),
      // Answered when the pause is over.
      heal: async () => void (await admin.ping()),
    })
    // Shorter than a lease.
    expect(requests).toBe(1)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`CLIENT PAUSE 5000, ${moment}`))
  })

  test.for(MOMENTS)('SIGSTOP for 10 s before the %s', { timeout: 120_000 }, async (moment, context) => {
    const { server, ordeal } = await onRedis(context)
    await ordeal.begin()
    const requests = await ordeal.rotateThrough({
      moment,
      strike: () => server.pause(),
      async heal() {
        await passed(10_000)
        server.resume()
      },
    })
    // Longer than a lease: the publication and the claims of the others race when the server goes on.
    expectFewRequests(moment, requests)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`SIGSTOP 10 s, ${moment}`))
  })
})

describe.concurrent('a server that forgets', () => {
  test('Redis is restarted empty', async (context) => {
    const { server, ordeal } = await onRedis(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({
        moment,
        losesData: true,
        strike: () => server.kill(),
        async heal() {
          if (moment === 'claim') await ordeal.noticed()
          await server.restart()
        },
      })
      expectFewRequests(moment, requests)
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('restarted empty'))
  }, 60_000)

  test('FLUSHALL', async (context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const strike = async () => void (await admin.flushall())
      expectFewRequests(moment, await ordeal.rotateThrough({ moment, losesData: true, strike }))
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('FLUSHALL'))
  }, 60_000)

  test('FLUSHALL when one process alone knows the ticket', async (context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin(1)
    for (const moment of MOMENTS) {
      const strike = async () => void (await admin.flushall())
      expectFewRequests(moment, await ordeal.rotateThrough({ moment, losesData: true, strike }))
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('FLUSHALL, one knows the ticket'))
  }, 60_000)

  test('FLUSHALL, and then a process that knows nothing', async (context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin(1)
    const { fleet, version } = ordeal
    fleet.mark('losing-data')
    await admin.flushall()
    fleet.mark('data-loss')
    const newcomer = await fleet.add()
    // It asks the platform to push the ticket again; the platform answers its request with the token that is still good.
    expect((await fleet.burst(10, [newcomer])).map(({ errors }) => errors)).toEqual([{}])
    await ordeal.agreed(version + 1)
    await newcomer.order('load', { callers: 20, everyMs: 10 })
    expect(fleet.requests).toBe(2)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('FLUSHALL, then a newcomer'))
  }, 60_000)

  test('SCRIPT FLUSH', async (context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const strike = async () => void (await admin.script('FLUSH'))
      expect([moment, await ordeal.rotateThrough({ moment, strike })]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('SCRIPT FLUSH'))
  }, 60_000)
})

describe.concurrent('a server that hangs up', () => {
  test.for(['normal', 'pubsub'] as const)('CLIENT KILL TYPE %s', { timeout: 120_000 }, async (type, context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const strike = async () => void (await admin.call('CLIENT', 'KILL', 'TYPE', type))
      expect([moment, await ordeal.rotateThrough({ moment, strike })]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`CLIENT KILL TYPE ${type}`))
  })

  test('CLIENT KILL of all clients, again and again for two seconds', async (context) => {
    const { admin, ordeal } = await onRedis(context)
    await ordeal.begin()
    const killAll = () => Promise.all(['normal', 'pubsub'].map((type) => admin.call('CLIENT', 'KILL', 'TYPE', type)))
    for (const moment of MOMENTS) {
      const requests = await ordeal.rotateThrough({
        moment,
        strike: async () => void (await killAll()),
        async heal() {
          for (const end = machineNow() + KILLING_MS; machineNow() < end; await passed(10)) await killAll()
        },
      })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('CLIENT KILL of all, for 2 s'))
  }, 60_000)
})
