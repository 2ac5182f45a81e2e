import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { expect, test } from 'vitest'
import { processorMs } from '../measure/processor-time.ts'
import { holds } from '../report/report.ts'
import { limitsOf } from '../store-operations/index.ts'
import type { Measured, Operation, Rounds } from '../store-operations/measured.ts'
import { WIRE_MS } from '../store-operations/measured.ts'
import { places } from '../store-operations/places.ts'
import { Records } from '../store-operations/records.ts'
import { sequence } from '../store-operations/sequence.ts'

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
    distantMicroseconds: { ...rounds(10_100, 10_200), claim: [claim, claim, claim] },
  })
  const missed = (claim: number) =>
    limitsOf(measured(claim), 1.5)
      .filter((limit) => !holds(limit))
      .map(({ what }) => what)
  expect(missed(10_200)).toEqual([])
  expect(missed(20_300)).toEqual(['claim to the bare round trip, Redis 10 ms away'])
})

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
