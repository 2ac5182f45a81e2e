import type { StoreChange } from '@tokenwell/core'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisSentinel, startRedisSentinel } from '@tokenwell/test-servers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { testConformance } from './support/conformance.ts'
import { type AnyRedis, versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'

describe('found through Sentinels', () => {
  describe.each(versions)('over ioredis $ioredis', ({ throughSentinels }) => {
    let servers: RedisSentinel
    let admin: AnyRedis

    const connect = () => {
      const client = throughSentinels(servers.client)
      // A primary that is gone is tried until the Sentinels name another.
      client.on('error', () => {})
      return client
    }

    beforeAll(async () => {
      servers = await startRedisSentinel()
      admin = connect()
    }, 60_000)

    afterAll(async () => {
      admin.disconnect()
      await servers.stop()
    })

    describe('the Redis store keeps the contract', () => {
      testConformance({ connect, admin: () => admin })
    })

    test('a replica that takes over goes on with higher fences, and listeners are told of a gap', async () => {
      const client = connect()
      onTestFinished(() => client.disconnect())
      const store = redisStore({ client, keyPrefix: 'failover' })
      onTestFinished(() => store.close())
      const changes: StoreChange[] = []
      await store.subscribe?.((change) => changes.push(change))
      const before = await store.claim('key', 'before', { ...claim, leaseMs: 1 }, patient)
      await servers.primary.kill()
      const granted = async () => {
        const after = await store.claim('key', 'after', claim, { signal: AbortSignal.timeout(1_000) })
        return after.kind === 'granted' && before.kind === 'granted' && after.fence > before.fence
      }
      await expect.poll(granted, { timeout: 20_000 }).toBe(true)
      await expect.poll(() => changes, { timeout: 10_000 }).toContainEqual({ kind: 'gap' })
      const version = Date.now() * 1000
      await store.publish('key', `attempt ${version}`, version, publication, patient)
      await expect.poll(() => changes).toContainEqual({ kind: 'changed', key: 'key', version })
    }, 60_000)
  })
})
