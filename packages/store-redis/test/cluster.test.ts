import type { StoreChange } from '@tokenwell/core'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisCluster, startRedisCluster } from '@tokenwell/test-servers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { testConformance } from './support/conformance.ts'
import { type AnyCluster, versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'

describe('in a cluster', () => {
  let servers: RedisCluster

  beforeAll(async () => {
    servers = await startRedisCluster()
  }, 60_000)

  afterAll(() => servers.stop())

  describe.each(versions)('over ioredis $ioredis the Redis store keeps the contract', ({ cluster, connect }) => {
    let admin: AnyCluster

    beforeAll(async () => {
      admin = cluster(servers.nodes)
      await admin.ping()
    })

    afterAll(() => admin.disconnect())

    testConformance({
      connect: () => cluster(servers.nodes),
      admin: () => admin,
    })

    test('keys on any node are read by one call', async () => {
      const client = cluster(servers.nodes)
      onTestFinished(() => client.disconnect())
      const store = redisStore({ client, keyPrefix: 'spread' })
      const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
      const version = Date.now() * 1000
      await Promise.all(keys.map((key) => store.publish(key, 'a', version, { ...publication, value: key }, patient)))
      const nodes = new Set(await Promise.all(admin.nodes('master').map(async (node) => (await node.keys('{spread:*')).length > 0)))
      expect([...nodes]).toEqual([true])
      expect((await store.read(keys, patient)).map(({ value }) => value)).toEqual(keys)
    })

    test('a listener whose node goes is told of a gap, and hears changes from another node', async () => {
      const client = cluster(servers.nodes)
      onTestFinished(() => client.disconnect())
      const store = redisStore({ client })
      onTestFinished(() => store.close())
      const changes: StoreChange[] = []
      await store.subscribe?.((change) => changes.push(change))
      for (const { port } of servers.nodes) {
        const node = connect(`redis://127.0.0.1:${port}`)
        await node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
        node.disconnect()
      }
      await expect.poll(() => changes, { timeout: 10_000 }).toContainEqual({ kind: 'gap' })
      const version = Date.now() * 1000
      await store.publish('key', `attempt ${version}`, version, publication, patient)
      await expect.poll(() => changes).toContainEqual({ kind: 'changed', key: 'key', version })
    })
  })

  // ioredis before 5.11 takes the digest of a script for its key, and joins what belongs to different nodes.
  const pipelining = versions.filter(({ ioredis }) => ioredis !== '5.4')
  test.each(pipelining)('over ioredis $ioredis pipelines made by the client itself go to the right nodes', async ({ ioredis, cluster }) => {
    const client = cluster(servers.nodes, { enableAutoPipelining: true })
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client, keyPrefix: `pipelined-${ioredis}` })
    const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
    expect(await store.read(keys, patient)).toHaveLength(30)
  })

  test('a replica that takes over goes on with higher fences', async () => {
    const [newest] = versions.slice(-1)
    if (newest === undefined) throw new Error('no version of ioredis')
    const client = newest.cluster(servers.nodes)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client, keyPrefix: 'failover' })
    const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
    const fences = await Promise.all(
      keys.map(async (key) => {
        const granted = await store.claim(key, 'before', { ...claim, leaseMs: 1 }, patient)
        return granted.kind === 'granted' ? granted.fence : Number.POSITIVE_INFINITY
      }),
    )
    await servers.primaries[0]?.kill()
    for (const [index, key] of keys.entries()) {
      await expect
        .poll(
          async () => {
            const claimed = await store.claim(key, 'after', claim, { signal: AbortSignal.timeout(1_000) })
            return claimed.kind === 'granted' && claimed.fence > (fences[index] ?? 0)
          },
          { timeout: 20_000 },
        )
        .toBe(true)
    }
  }, 60_000)
})
