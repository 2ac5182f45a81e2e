import { setTimeout as passed } from 'node:timers/promises'
import { provideRedis, type SharedRedis } from '@tokenwell/test-servers'
import { describeTokenStore } from '@tokenwell/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RedisClient } from '../src/client.ts'
import { storeWith } from '../src/redis-store.ts'
import { scriptsOf, sources } from '../src/scripts.ts'
import { moveDeadlines, removeRecords, serverTime } from './support/records.ts'

type Sources = typeof sources

/** A rule taken out of a script, and the tests that must fail for it, and no others. */
interface Break {
  readonly script: keyof Sources
  readonly rule: string
  readonly instead?: string
  /** What the two nodes' clocks are off, milliseconds; they are then sent with every operation, as its last argument. */
  readonly clocksOffMs?: number
  readonly fails: readonly string[]
}

const breaks: Readonly<Record<string, Break>> = {
  'a publication that is not newer is accepted': {
    script: 'publish',
    rule: ' or published <= version',
    fails: [
      'publish: an older fence is superseded and changes no value',
      'publish: the fence of the stored value is superseded',
      'publish: superseded comes before refused',
      'publish: a superseded publication leaves the backoff',
      'concurrency: of many publications at once the newest stays',
      'subscribe: a publication that changed nothing is not announced',
    ],
  },
  'a publication that is sent again is written again': {
    script: 'publish',
    rule: 'if publishedBy == attempt then',
    instead: 'if false then',
    fails: [
      'publish again: it is accepted, whatever its fence, its basis and its distance from the clock are now',
      'publish again: it changes neither value nor version',
      'publish again: it leaves the lease, also one of its own attempt',
    ],
  },
  "the time is a node's": {
    script: 'record',
    rule: 'local now = time[1] * 1000000 + time[2]',
    instead: 'local now = tonumber(table.remove(ARGV))',
    clocksOffMs: 5_000,
    fails: ["fence: a fence is the store's clock in microseconds, when nothing is above that"],
  },
  'the length of a deadline is ignored': {
    script: 'record',
    rule: ' or ahead > length',
    fails: [
      'clock set back: a lease that ends further away than it is long is over',
      'clock set back: a failure under such a lease is not shared',
      'clock set back: a renewal that is further away than when it was set is due',
      'clock set back: a value whose end is further away than when it was set has ended',
      'clock set back: a retry that is further away than when it was set is due',
      'clock set back: a quiet time whose end is further away than it is long is over',
    ],
  },
  'a lease is settled whatever its fence': {
    script: 'settle',
    rule: ' and leaseFence == settled',
    fails: ['settle: a lease of another fence is not released'],
  },
  'a lease is settled when it has run out': {
    script: 'settle',
    rule: ' and left(leaseUntil, leaseLength) > 0',
    fails: ['settle: a lease that ran out shares no failure', 'clock set back: a failure under such a lease is not shared'],
  },
  'a publication is not announced': {
    script: 'publish',
    rule: "kind, changed, announced, released = 'accepted', true, true, isOwner",
    instead: "kind, changed, announced, released = 'accepted', true, false, isOwner",
    fails: [
      'subscribe: an accepted publication is announced',
      'subscribe: a change can be read by the time it is announced',
      'subscribe: changes made through either instance are announced',
      'subscribe: after unsubscribing nothing is announced, and other listeners go on',
      'subscribe: a listener that throws harms neither the operation nor other listeners',
    ],
  },
  'a publication that changed nothing is announced': {
    script: 'publish',
    rule: "kind, changed, released = 'superseded', isOwner, isOwner",
    instead: "kind, changed, announced, released = 'superseded', true, true, isOwner",
    fails: ['subscribe: a publication that changed nothing is not announced'],
  },
  'durations count from the arrival': {
    script: 'publish',
    rule: 'math.min(now, published)',
    instead: 'now',
    fails: ['publish: the time to renewal counts from the grant', 'publish: the time to the end counts from the grant'],
  },
  'a fence is only counted': {
    script: 'claim',
    rule: 'math.max(math.max(fence, seen, rejected) + 1, now)',
    instead: 'math.max(fence, seen, rejected) + 1',
    fails: ["fence: a fence is the store's clock in microseconds, when nothing is above that"],
  },
  'a fence is only the time': {
    script: 'claim',
    rule: 'math.max(math.max(fence, seen, rejected) + 1, now)',
    instead: 'now',
    fails: [
      'fence: a fence is above the highest version the caller has seen',
      'fence: a fence is above the highest version the caller knows to be rejected',
      'fence: a fence is above everything published',
      'fence: a fence is above everything rejected',
      'fence: a fence that is no safe integer is not granted',
    ],
  },
  'a rejection leaves out the fetch in flight': {
    script: 'invalidate',
    rule: 'math.max(dead, fence)',
    instead: 'dead',
    fails: ['invalidate: what a fetch in flight brings is rejected too'],
  },
}

/** The scripts without the rule, which must have been there. */
function broken({ script, rule, instead = '' }: Break): Sources {
  expect(sources[script].split(rule).length, `${script}.lua has it once: ${rule}`).toBe(2)
  return { ...sources, [script]: sources[script].replace(rule, () => instead) }
}

/** A client that sends its node's clock along, off by so much. */
function withClock(client: Redis, offMs: number): RedisClient {
  const now = () => String(Math.floor((Date.now() + offMs) * 1000))
  return {
    status: client.status,
    options: {},
    duplicate: (override) => client.duplicate(override),
    evalsha: (...args) => client.evalsha(...args, now()),
    eval: (...args) => client.eval(...args, now()),
  }
}

describe('a rule taken out of a script is missed', () => {
  let server: SharedRedis
  let admin: Redis
  let clients: readonly [Redis, Redis]
  let tests = 0

  beforeAll(async () => {
    server = await provideRedis()
    admin = new Redis(server.url)
    clients = [new Redis(server.url), new Redis(server.url)]
  })

  afterAll(async () => {
    for (const client of [admin, ...clients]) client.disconnect()
    await server.stop()
  })

  /** Names of the tests that fail with these scripts. */
  async function failures(changed: Sources, clocksOffMs?: number): Promise<string[]> {
    const scripts = scriptsOf(changed)
    const runs = new Map<string, () => Promise<void>>()
    let keyPrefix = ''
    describeTokenStore({
      test: (name, run) => runs.set(name, run),
      capabilities: { shared: true, durable: true, push: true },
      factory: () => {
        keyPrefix = `broken-${process.pid}-${tests++}`
        const open = (client: Redis) =>
          storeWith(scripts, { client: clocksOffMs === undefined ? client : withClock(client, clocksOffMs), keyPrefix })
        const stores = [open(clients[0]), open(clients[1])] as const
        return {
          stores,
          reopen: async () => open(clients[0]),
          close: async () => {
            for (const store of stores) await store.close()
            await removeRecords(admin, keyPrefix)
          },
        }
      },
      clock: { now: () => serverTime(admin), pass: passed, stepBack: (ms) => moveDeadlines(admin, keyPrefix, ms) },
    })
    const failed: string[] = []
    for (const [name, run] of runs) await run().catch(() => failed.push(name))
    return failed
  }

  test('nothing fails with the scripts as they are', async () => {
    expect(await failures(sources)).toEqual([])
  })

  test.each(Object.entries(breaks))('%s', async (_, each) => {
    expect(await failures(broken(each), each.clocksOffMs)).toEqual(each.fails)
  })
}, 60_000)
