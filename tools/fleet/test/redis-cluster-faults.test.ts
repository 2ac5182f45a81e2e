import { type RedisCluster, type RedisServer, startRedisCluster } from '@tokenwell/test-servers'
import { Cluster, Redis } from 'ioredis'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import { MOMENTS } from './support/fault.ts'
import { FaultTable } from './support/fault-table.ts'
import { Ordeal } from './support/ordeal.ts'
import { passOver } from './support/redis.ts'
import { until } from './support/until.ts'

const table = new FaultTable('Faults of a Redis Cluster')
afterAll(() => table.print())

interface Stage {
  readonly servers: RedisCluster
  readonly ordeal: Ordeal
  /** One command to one node. */
  call(server: RedisServer, ...command: readonly string[]): Promise<string>
  owners(): Promise<Owners>
}

/** The primary that has the token's record, its replica, and the slot. */
interface Owners {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly slot: string
}

/** A fleet on a cluster of its own. */
async function onCluster(context: Pick<TestContext, 'onTestFinished'>): Promise<Stage> {
  const servers = await startRedisCluster()
  context.onTestFinished(() => servers.stop())
  const all = [...servers.primaries, ...servers.replicas]
  const call = async (server: RedisServer, name: string, ...args: readonly string[]) => {
    const client = new Redis(server.url, { retryStrategy: null })
    client.on('error', () => {})
    try {
      return String(await client.call(name, ...args))
    } finally {
      client.disconnect()
    }
  }
  const ordeal = await Ordeal.start(context, {
    address: (_, keyPrefix) => ({ kind: 'redis-cluster', nodes: servers.nodes, keyPrefix }),
    passInStore: passOver(() => new Cluster(servers.nodes)),
  })
  const byPort = (line: string) => all.find(({ port }) => line.includes(`127.0.0.1:${port}@`))
  return {
    servers,
    ordeal,
    call,
    async owners() {
      let found: Owners | undefined
      await until('a primary has the record, and a replica', async () => {
        for (const server of all) {
          const [record] = (await call(server, 'KEYS', '*app-access-token*').catch(() => '')).split(',')
          if (!record || !(await call(server, 'ROLE')).startsWith('master')) continue
          const id = await call(server, 'CLUSTER', 'MYID')
          const nodes = (await call(server, 'CLUSTER', 'NODES')).split('\n')
          const replica = byPort(nodes.find((line) => line.includes(`slave ${id}`)) ?? '')
          if (replica !== undefined) found = { primary: server, replica, slot: await call(server, 'CLUSTER', 'KEYSLOT', record) }
        }
        return found !== undefined
      })
      if (found === undefined) throw new Error('unreachable')
      return found
    },
  }
}

describe.concurrent('a cluster under load', () => {
  test('a primary is killed and its replica takes over, again and again', async (context) => {
    const { ordeal, owners, call } = await onCluster(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const { primary, replica } = await owners()
      const requests = await ordeal.rotateThrough({
        moment,
        async strike() {
          // What it had acknowledged has arrived: a failover that loses nothing.
          await until('the replica has everything', async () => {
            const [, , offset] = (await call(primary, 'ROLE')).split(',')
            const acknowledged = (await call(primary, 'INFO', 'replication')).match(/master_repl_offset:(\d+)/)?.[1]
            return offset !== undefined && (await call(replica, 'INFO', 'replication')).includes(`slave_repl_offset:${acknowledged}`)
          })
          await primary.kill()
        },
        async heal() {
          await until('the replica has taken over', async () => (await call(replica, 'ROLE')).startsWith('master'))
        },
      })
      // Shorter than a lease, so that nobody else is granted one, unless the machine is slow.
      expect([1, 2]).toContain(requests)
      await primary.restart()
      await until('the old primary follows the new one', async () =>
        (await call(primary, 'INFO', 'replication').catch(() => '')).includes('master_link_status:up'),
      )
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('primary killed, replica takes over'))
  }, 90_000)

  test('CLUSTER FAILOVER in the middle of a rotation', async (context) => {
    const { ordeal, owners, call } = await onCluster(context)
    await ordeal.begin()
    // Each takes over once: Redis 7.0 lets a replica that has just won an election win the next one with the old votes.
    for (const moment of ['request', 'publish'] as const) {
      const { primary, replica } = await owners()
      const requests = await ordeal.rotateThrough({
        moment,
        strike: async () => void (await call(replica, 'CLUSTER', 'FAILOVER')),
        async heal() {
          await until('they have changed places', async () => (await call(replica, 'ROLE')).startsWith('master'))
        },
      })
      expect([moment, requests]).toEqual([moment, 1])
      await until('the old primary follows', async () => (await call(primary, 'INFO', 'replication')).includes('master_link_status:up'))
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('CLUSTER FAILOVER'))
  }, 90_000)

  test('the slot moves to another node', async (context) => {
    const { servers, ordeal, owners, call } = await onCluster(context)
    await ordeal.begin()
    for (const moment of MOMENTS) {
      const { primary: source, slot } = await owners()
      const target = servers.primaries.find((server) => server !== source)
      if (target === undefined) throw new Error('a cluster of one')
      const setSlot = async (server: RedisServer, ...how: string[]) => void (await call(server, 'CLUSTER', 'SETSLOT', slot, ...how))
      const [sourceId, targetId] = await Promise.all([call(source, 'CLUSTER', 'MYID'), call(target, 'CLUSTER', 'MYID')])
      const { version } = ordeal
      const requests = await ordeal.rotateThrough({
        moment,
        /** The record is with the new node while the slot still belongs to the old one. */
        async strike() {
          await setSlot(target, 'IMPORTING', sourceId)
          await setSlot(source, 'MIGRATING', targetId)
          const keys = (await call(source, 'CLUSTER', 'GETKEYSINSLOT', slot, '100')).split(',')
          expect(await call(source, 'MIGRATE', '127.0.0.1', String(target.port), '', '0', '5000', 'KEYS', ...keys)).toBe('OK')
        },
        async heal() {
          // Not before the rotation has gone on under redirections.
          await ordeal.agreed(version + 1)
          for (const server of [target, source, ...servers.primaries]) await setSlot(server, 'NODE', targetId)
        },
      })
      expect([moment, requests]).toEqual([moment, 1])
    }
    await ordeal.rotate()
    await ordeal.endLoad()
    table.add(await ordeal.end('slot migrated'))
  }, 90_000)
})
