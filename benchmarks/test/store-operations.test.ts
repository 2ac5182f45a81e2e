import { expect, test } from 'vitest'
import { holds } from '../report/report.ts'
import { limitsOf } from '../store-operations/index.ts'
import type { Measured, Operation, Rounds } from '../store-operations/measured.ts'
import { WIRE_MS } from '../store-operations/measured.ts'
import { places } from '../store-operations/places.ts'

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

function rounds(bare: number, others: number): Rounds<Operation> {
  const [least, most] = [Array(3).fill(bare), Array(3).fill(others)]
  return { bare: least, claim: most, publish: most, read: most, 'claim again': most, 'publish again': most, 'read 100': most }
}
