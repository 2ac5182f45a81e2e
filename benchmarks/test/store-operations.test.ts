import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { expect, test } from 'vitest'
import { inProcess } from '../measure/in-process.ts'
import { processorMs } from '../measure/processor-time.ts'
import { holds } from '../report/report.ts'
import { figuresOf, limitsOf, storeOperations, tablesOf } from '../store-operations/index.ts'
import {
  CALLS,
  DISTANT_CALLS,
  type Measured,
  OPERATIONS,
  type Operation,
  type Order,
  type Rounds,
  WIRE_MS,
} from '../store-operations/measured.ts'
import { places } from '../store-operations/places.ts'
import { Records } from '../store-operations/records.ts'
import { ORDERS, orderOf, sequence } from '../store-operations/sequence.ts'
import { testRecord } from './record.ts'

testRecord(
  storeOperations,
  ['Redis', 'PostgreSQL'].flatMap((store) => [
    ...['claim', 'publish', 'claim again', 'publish again'].map(
      (operation) => new RegExp(`^${operation} to the bare round trip, ${store}$`),
    ),
    new RegExp(`^publish to the bare round trip, ${store} 10 ms away$`),
    new RegExp(`^server's processor time for claim and publish to that for the bare round trip, ${store}$`),
  ]),
)

test('one way to a server is a wire longer than the other', async () => {
  const place = await places.redis?.()
  if (place?.distant === undefined) throw new Error('there is no wire')
  try {
    const [near, distant] = [place.near, place.distant]
    const taking = async (call: () => Promise<unknown>) => {
      await call()
      const begun = performance.now()
      await call()
      return performance.now() - begun
    }
    // A timer may be a fraction of a millisecond early, each way.
    expect(await taking(distant.bare)).toBeGreaterThan(WIRE_MS - 2)
    const signal = AbortSignal.timeout(30_000)
    await near.store.claim('key', 'owner', { leaseMs: 60_000, seen: 0, rejected: 0 }, { signal })
    expect(await distant.store.claim('key', 'other', { leaseMs: 60_000, seen: 0, rejected: 0 }, { signal })).toMatchObject({ kind: 'held' })
  } finally {
    await place.close()
  }
})

test('an operation that takes a second round trip breaks its limit over the wire, however fast the server is', () => {
  const measured = (claim: number): Measured => ({
    name: 'Redis',
    version: '8.0.0',
    bareName: 'PING',
    microseconds: rounds(100, 120),
    p99Microseconds: rounds(200, 300),
    hasServer: true,
    distantMicroseconds: { ...rounds(10_100, 10_200), claim: [claim, claim, claim] },
  })
  const missed = (claim: number) =>
    limitsOf(measured(claim), { time: 1.5, processor: 4 })
      .filter((limit) => !holds(limit))
      .map(({ what }) => what)
  expect(missed(10_200)).toEqual([])
  expect(missed(20_300)).toEqual(['claim to the bare round trip, Redis 10 ms away'])
})

test("the server's processor time is that of claim and publish in the mean, by that of the bare round trip in the same round", () => {
  const measured = (publish: number): Measured => ({
    name: 'Redis',
    version: '8.0.0',
    bareName: 'PING',
    microseconds: rounds(100, 120),
    p99Microseconds: rounds(200, 300),
    hasServer: true,
    distantMicroseconds: rounds(10_100, 10_200),
    serverMicroseconds: { bare: [10, 20, 30], claim: [30, 60, 90], publish: [publish, 2 * publish, 3 * publish] },
  })
  const held = (publish: number) => limitsOf(measured(publish), { time: 1.5, processor: 4 }).find(({ what }) => /processor/.test(what))
  const what = "server's processor time for claim and publish to that for the bare round trip, Redis"
  expect(held(50)).toEqual({ what, ratio: 4, greatest: 4, most: 4 })
  expect(held(60)).toMatchObject({ ratio: 4.5 })
  const [, spent] = tablesOf(measured(50))
  expect(spent?.rows.at(-1)).toEqual(['publish', '5 × (5 to 5)', '100 (50 to 150)'])
  expect(figuresOf(measured(50))).toContainEqual({ what: "Redis, publish, the server's processors", unit: 'µs', each: [50, 100, 150] })
})

test.each(['redis', 'postgres'])(
  'on %s the process is told of what is published, and a call takes the server longer than the bare round trip',
  async (kind) => {
    const order: Order = { place: kind, rounds: 1, limitsOnly: true }
    const measured = await inProcess<Measured>(new URL('../store-operations/worker.ts', import.meta.url), order)
    expect(measured.listeningMicroseconds?.publish).toHaveLength(1)
    if (process.platform !== 'linux') return
    const { bare = [], claim = [], publish = [] } = measured.serverMicroseconds ?? {}
    for (const [base, more] of [
      [bare, claim],
      [bare, publish],
    ] as const)
      expect(more[0]).toBeGreaterThan(base[0] ?? Number.NaN)
  },
)

test('what is read as a hundred are a hundred records with a token, from the first call on', async () => {
  const store = memoryStore()
  const read: { readonly keys: readonly string[]; readonly tokens: number }[] = []
  const watched: TokenStore = {
    ...store,
    async read(keys, operation) {
      const snapshots = await store.read(keys, operation)
      read.push({ keys, tokens: snapshots.filter(({ value }) => value !== undefined).length })
      return snapshots
    },
  }
  const records = await Records.in(watched)
  expect(read).toEqual([])
  await sequence({ store: watched, bare: async () => {} }, records, 3)
  const hundreds = read.filter(({ keys }) => keys.length > 1)
  expect(hundreds.map(({ keys, tokens }) => ({ distinct: new Set(keys).size, tokens }))).toEqual(
    Array(3).fill({ distinct: 100, tokens: 100 }),
  )
})

test('each operation follows each other equally often', () => {
  for (const turns of [CALLS, DISTANT_CALLS]) {
    const order = Array.from({ length: turns }, (_, turn) => orderOf(turn))
    for (const each of order) expect([...each].sort()).toEqual([...OPERATIONS].sort())
    const all = order.flat()
    const followed = new Map<string, number>()
    // After the last turn comes the first of the next round.
    for (const [index, name] of all.entries()) {
      const pair = `${name}, ${all[(index + 1) % all.length]}`
      followed.set(pair, (followed.get(pair) ?? 0) + 1)
    }
    expect(followed.size).toBe(OPERATIONS.length * (OPERATIONS.length - 1))
    expect(new Set(followed.values())).toEqual(new Set([turns / ORDERS]))
  }
})

test('a call of each operation is measured each turn, and renews what an earlier turn has published', async () => {
  const store = memoryStore()
  const claimed: number[] = []
  const watched: TokenStore = {
    ...store,
    async claim(key, attempt, request, operation) {
      claimed.push(request.seen)
      return store.claim(key, attempt, request, operation)
    },
  }
  const records = await Records.in(watched)
  claimed.length = 0
  const taken = await sequence({ store: watched, bare: async () => {} }, records, 2 * ORDERS)
  expect(OPERATIONS.map((name) => taken[name].length)).toEqual(OPERATIONS.map(() => 2 * ORDERS))
  expect(claimed.filter((seen) => seen > 0)).toHaveLength(2 * ORDERS + 1)
})

test('each time is shown with what it was in the rounds, and the processor time with whose it is', () => {
  const crowded = { bare: [1, 2, 3], claim: [4, 5, 6], publish: [1, 1, 1], read: [1, 1, 1], 'read 100': [1, 1, 1] }
  const measured: Measured = {
    name: 'SQLite',
    version: '3.53.4',
    bareName: 'select 1',
    hasServer: false,
    microseconds: rounds(100, 200),
    p99Microseconds: { ...rounds(100, 200), claim: [300, 500, 400] },
    crowd: { perSecond: crowded, p99Microseconds: crowded, processorMicroseconds: crowded },
  }
  const [one, many] = tablesOf(measured)
  expect(one?.rows[1]).toEqual(['claim', '2 × (2 to 2)', '200', '400 (300 to 500)'])
  expect(many?.columns.at(-1)).toBe("µs of the process's processors")
  expect(many?.rows[1]).toEqual(['claim', '2.5 × (2 to 4)', ...Array(3).fill('5 (4 to 6)')])
})

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux('the processor time of a server is told more exactly than in ticks', async () => {
  const place = await places.redis?.()
  if (place?.pid === undefined) throw new Error('there is no server')
  try {
    const before = processorMs(place.pid) ?? Number.NaN
    for (let each = 0; each < 50; each++) await place.near.bare()
    const used = (processorMs(place.pid) ?? Number.NaN) - before
    // A tick is 10 ms: an account of those would say none or all of it.
    expect(used).toBeGreaterThan(0)
    expect(used).toBeLessThan(10)
  } finally {
    await place.close()
  }
})

onLinux('the processor time of a child that has ended is not lost', async () => {
  const busy = 'const used = () => process.cpuUsage().user + process.cpuUsage().system; while (used() < 300_000);'
  const parent = spawn('sh', ['-c', '"$0" -e "$1"; echo done; read -r line', process.execPath, busy], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    await once(parent.stdout, 'data')
    expect(processorMs(parent.pid ?? 0)).toBeGreaterThan(250)
  } finally {
    parent.stdin.end()
  }
})

function rounds(bare: number, others: number): Rounds<Operation> {
  const [least, most] = [Array(3).fill(bare), Array(3).fill(others)]
  return { bare: least, claim: most, publish: most, read: most, 'claim again': most, 'publish again': most, 'read 100': most }
}
