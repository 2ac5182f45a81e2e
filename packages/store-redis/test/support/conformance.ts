import { setTimeout as passed } from 'node:timers/promises'
import { redisStore } from '@tokenwell/store-redis'
import { describeTokenStore } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import type { AnyCluster, AnyRedis } from './ioredis.ts'
import { moveDeadlines, removeRecords, serverTime } from './records.ts'

let tests = 0

interface Harness {
  /** A client as a node of a fleet has one. */
  readonly connect: () => AnyRedis | AnyCluster
  /** A client that sees all records. */
  readonly admin: () => AnyRedis | AnyCluster
}

/** Registers the whole conformance suite. Each test has a prefix of its own, and two clients on connections of their own. */
export function testConformance({ connect, admin }: Harness): void {
  let keyPrefix = ''
  const { notRun } = describeTokenStore({
    test,
    capabilities: { shared: true, durable: true, push: true },
    factory: () => {
      keyPrefix = `conformance-${process.pid}-${tests++}`
      const clients = [connect(), connect()] as const
      const open = (client: AnyRedis | AnyCluster) => redisStore({ client, keyPrefix })
      const stores = [open(clients[0]), open(clients[1])] as const
      return {
        stores,
        reopen: async () => open(clients[0]),
        close: async () => {
          for (const store of stores) await store.close()
          for (const client of clients) client.disconnect()
          await removeRecords(admin(), keyPrefix)
        },
      }
    },
    clock: { now: () => serverTime(admin()), pass: passed, stepBack: (ms) => moveDeadlines(admin(), keyPrefix, ms) },
  })

  test('and nothing of it was left out', () => expect(notRun).toEqual([]))
}
