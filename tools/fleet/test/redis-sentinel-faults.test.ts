import { startProxy, startRedis, startRedisSentinel } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import { MOMENTS } from './support/fault.ts'
import { FaultTable } from './support/fault-table.ts'
import { Ordeal } from './support/ordeal.ts'
import { passOver } from './support/redis.ts'
import { until } from './support/until.ts'

const table = new FaultTable('Failovers of a Redis with a replica')
afterAll(() => table.print())

async function replicated(primary: Redis): Promise<void> {
  await until('the replica has everything', async () => {
    const info = await primary.info('replication')
    return info.includes(`offset=${/master_repl_offset:(\d+)/.exec(info)?.[1]},`)
  })
}

describe.concurrent('Sentinels', () => {
  test.for(MOMENTS)(
    'put the replica in the place of a primary that is killed before the %s',
    { timeout: 90_000 },
    async (moment, context) => {
      const servers = await startRedisSentinel()
      context.onTestFinished(() => servers.stop())
      const { primary, replica, client } = servers
      const ordeal = await Ordeal.start(context, {
        address: (_, keyPrefix) => ({ kind: 'redis-sentinel', ...client, keyPrefix }),
        passInStore: passOver(() => new Redis(client)),
      })
      await ordeal.begin()
      const admin = new Redis(primary.url, { retryStrategy: null })
      admin.on('error', () => {})
      const requests = await ordeal.rotateThrough({
        moment,
        async strike() {
          await replicated(admin)
          await primary.kill()
        },
        async heal() {
          const successor = new Redis(replica.url)
          await until('the replica has taken over', async () => (await successor.role())[0] === 'master')
          successor.disconnect()
        },
      })
      // A failover shorter than a lease, in which nothing was lost; a slow machine may make it longer.
      if (moment === 'claim') expect(requests).toBe(1)
      else expect([1, 2]).toContain(requests)
      await ordeal.rotate()
      await ordeal.endLoad()
      table.add(await ordeal.end(`Sentinel failover, ${moment}`))
    },
  )
})

/** A fleet that knows one address, behind which a replica can take the primary's place. */
async function behindOneAddress(context: Pick<TestContext, 'onTestFinished'>) {
  const primary = await startRedis()
  context.onTestFinished(() => primary.stop())
  const replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${primary.port}`, 'repl-diskless-sync-delay': '0' } })
  context.onTestFinished(() => replica.stop())
  const proxy = await startProxy({ port: primary.port })
  context.onTestFinished(() => proxy.stop())
  const [first, second] = [primary, replica].map(({ url }) => new Redis(url, { maxRetriesPerRequest: null }))
  if (first === undefined || second === undefined) throw new Error('unreachable')
  for (const client of [first, second]) {
    client.on('error', () => {})
    context.onTestFinished(() => client.disconnect())
  }
  await until('the replica follows', async () => (await second.info('replication')).includes('master_link_status:up'))
  const url = `redis://127.0.0.1:${proxy.port}`
  const ordeal = await Ordeal.start(context, {
    address: (_, keyPrefix) => ({ kind: 'redis', url, keyPrefix }),
    passInStore: passOver(() => new Redis(url)),
  })
  return {
    ordeal,
    /** From now on the replica hears nothing, though nobody has noticed yet. */
    async lag() {
      await replicated(first)
      await second.replicaof('NO', 'ONE')
    },
    /** The primary is gone; who calls its address has the replica. */
    async promote() {
      proxy.redirect(replica.port)
      await primary.kill()
    },
  }
}

describe.concurrent('a replica is promoted without the last writes', () => {
  test('without the last token: everybody keeps it, and goes on from it', async (context) => {
    const { ordeal, lag, promote } = await behindOneAddress(context)
    await ordeal.begin()
    await ordeal.rotateThrough({ moment: 'publish', strike: lag })
    const { fleet, version } = ordeal
    fleet.mark('losing-data')
    await promote()
    fleet.mark('data-loss')
    // It finds a token that is older than everybody else's and due; it takes another one, and so does everybody.
    const newcomer = await fleet.add()
    expect((await fleet.burst(10, [newcomer])).map(({ errors }) => errors)).toEqual([{}])
    await newcomer.order('load', { callers: 20, everyMs: 10 })
    ordeal.healed()
    await ordeal.recovered(version + 1)
    expect(fleet.requests).toBe(3)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('promoted without the last token'))
  }, 60_000)

  test.for(['request', 'publish'] as const)('without the lease, before the %s', { timeout: 120_000 }, async (moment, context) => {
    const { ordeal, lag, promote } = await behindOneAddress(context)
    await ordeal.begin()
    const requests = await ordeal.rotateThrough({ moment, losesData: true, beforehand: lag, strike: promote })
    // Whether another was granted the lost lease before the first token was published.
    expect([1, 2]).toContain(requests)
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end(`promoted without the lease, ${moment}`))
  })

  test('without the lease, while the upstream takes its time: the later grant stays', async (context) => {
    const { ordeal, lag, promote } = await behindOneAddress(context)
    await ordeal.begin()
    const { fleet } = ordeal
    let publisher = ''
    const requests = await ordeal.rotateThrough({
      moment: 'publish',
      losesData: true,
      beforehand: lag,
      async strike(holder) {
        publisher = `node ${holder}`
        await promote()
        await ordeal.takenOver(holder)
      },
    })
    expect(requests).toBe(2)
    expect(fleet.history.filter((entry) => entry.kind === 'event' && entry.type === 'superseded').map(({ node }) => node)).toEqual([
      publisher,
    ])
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('promoted without the lease, slow upstream'))
  }, 60_000)
})
