import { setTimeout as passed, setImmediate as turned } from 'node:timers/promises'
import { startRedis } from '@tokenwell/test-servers'
import { expect, test } from 'vitest'
import { countedQuantile, Histogram, howMany } from '../measure/histogram.ts'
import { holds } from '../report/report.ts'
import { rotation } from '../rotation/index.ts'
import { limits, noticedMs, noticedOnceMs } from '../rotation/limits.ts'
import { CALLERS_A_TICK, Load, TICK_MS } from '../rotation/load.ts'
import { type Run, run } from '../rotation/run.ts'
import { durationMs, FETCH_MS, freshMs, KEYS, lifeMs, SPACING_MS } from '../rotation/schedule.ts'
import { figures, ratios } from '../rotation/tables.ts'
import { testRecord } from './record.ts'

testRecord(rotation, [/^blocked callers/, /^longest get\(\)/], { isOld: true })

const STOPPED_MS = 100

test('a caller is not blocked however many promises are between it and its token', async () => {
  const load = new Load(async () => {
    for (let each = 0; each < 100; each++) await undefined
    return 'token'
  }, 1)
  load.tick()
  await load.stop()
  const { blocked, latencies } = load.take()
  expect(blocked).toBe(0)
  expect(howMany(latencies)).toBeGreaterThan(0)
})

test('a caller who waits for anything else is blocked, and its time counts all the same', async () => {
  for (const wait of [() => turned('token'), () => passed(5, 'token')]) {
    const load = new Load(wait, 1)
    load.tick()
    await load.stop()
    const { blocked, latencies } = load.take()
    expect(blocked).toBe(howMany(latencies))
    expect(blocked).toBeGreaterThan(0)
  }
})

test('whoever is due while the event loop stands still comes all the same, and has waited since then', async () => {
  const load = new Load(async () => 'token', 1)
  load.start()
  const until = performance.now() + STOPPED_MS
  while (performance.now() < until);
  await load.stop()
  const { blocked, latencies, waits } = load.take()
  expect(blocked).toBe(0)
  expect(howMany(latencies)).toBeGreaterThanOrEqual((STOPPED_MS / TICK_MS) * CALLERS_A_TICK)
  expect(howMany(waits)).toBe(howMany(latencies))
  expect(waits.greatest / 1e6).toBeGreaterThanOrEqual(STOPPED_MS - TICK_MS)
  expect(countedQuantile(waits, 0.5) / 1e6).toBeGreaterThan(STOPPED_MS / 3)
})

test('a new token is noticed once for each key', async () => {
  let version = 1
  const load = new Load(async (index) => `${index}.${version}`, 2)
  load.tick()
  await load.stop()
  expect(load.take().changes).toBe(2)
  load.tick()
  version = 2
  load.tick()
  await load.stop()
  expect(load.take().changes).toBe(2)
})

test('renewals take turns: each has ended before the next begins, and the first key is next after the last', () => {
  const begin = Array.from({ length: KEYS }, (_, index) => FETCH_MS + freshMs(lifeMs(index, true, false)))
  const again = begin.map((at, index) => at + FETCH_MS + freshMs(lifeMs(index, false, false)))
  const all = [...begin, ...again]
  for (const [index, at] of all.entries()) expect(at - (all[0] ?? 0)).toBe(index * SPACING_MS)
  expect(SPACING_MS).toBeGreaterThan(FETCH_MS)
})

test('as many renewals are measured as are asked for, from beginning to end', () => {
  expect(durationMs(20)).toBeGreaterThan(19 * SPACING_MS + FETCH_MS)
})

test('one blocked caller, or a longer tail, breaks a limit', () => {
  const quiet = rounds({}, {}, {})
  expect(broken(quiet, quiet, quiet)).toEqual([])
  expect(broken(quiet, quiet, rounds({}, { blocked: 1 }, {}))).toEqual(['blocked callers to renewals'])
  expect(broken(quiet, quiet, rounds({ longestMs: 21 }, { longestMs: 21 }, {}))).toEqual(['longest get() to the same without renewals'])
  expect(broken(quiet, quiet, rounds({ waitMs: 21 }, { waitMs: 21 }, {}))).toEqual([
    'longest wait of a due caller to the same without renewals',
  ])
  expect(noticedMs({ still: quiet, again: quiet, rotating: quiet }, 'latencies')).toBeCloseTo(20)
})

test('where runs without renewals are further apart a tail may be longer, but not without end', () => {
  const quiet = rounds({}, {}, {})
  for (const [still, again] of [
    [quiet, rounds({}, { longestMs: 30 }, {})],
    [rounds({}, { longestMs: 30 }, {}), quiet],
  ] as const) {
    expect(broken(still, again, rounds({ longestMs: 29 }, { longestMs: 29 }, { longestMs: 29 }))).toEqual([])
    expect(broken(still, again, rounds({ longestMs: 31 }, { longestMs: 31 }, { longestMs: 31 }))).toHaveLength(1)
  }
  const wild = rounds({}, { longestMs: 900 }, {})
  expect(broken(quiet, wild, rounds({ longestMs: 41 }, { longestMs: 41 }, { longestMs: 41 }))).toHaveLength(1)
})

test('a stall of a single round breaks a limit however far apart the others are', () => {
  const quiet = rounds({}, {}, {})
  const still = rounds({}, { waitMs: 40 }, {})
  expect(noticedOnceMs({ still, again: quiet, rotating: quiet })).toBeCloseTo(90)
  expect(broken(still, quiet, rounds({}, {}, { waitMs: 89 }))).toEqual([])
  expect(broken(still, quiet, rounds({}, {}, { waitMs: 91 }))).toEqual([
    'longest wait of a due caller in all rounds to 50 ms more than without renewals',
  ])
})

test('a machine that stands still by itself for as long as a stall that is to be noticed breaks a limit', () => {
  const busy = rounds({}, { waitMs: 51 }, {})
  const what = 'longest wait of a due caller in all rounds without renewals to 50 ms'
  expect(broken(busy, rounds({}, {}, {}), rounds({}, {}, {}))).toEqual([what])
  expect(broken(rounds({}, {}, {}), busy, rounds({}, {}, {}))).toEqual([what])
})

test('the table and the limits have one ratio: of what was measured in the same round, the median of the rounds', () => {
  const still = rounds({ longestMs: 10 }, { longestMs: 20 }, { longestMs: 40 })
  const own = { still, again: still, rotating: rounds({ longestMs: 15 }, { longestMs: 24 }, { longestMs: 44 }) }
  expect(limits(own).find(({ what }) => what.startsWith('longest get()'))).toMatchObject({ ratio: 1.2, greatest: 1.5 })
  expect(ratios('latencies', own, []).rows.map((row) => [row[0], row.at(-1)])).toEqual([
    ['one, nothing renewed, again', '1 × (1 to 1)'],
    ['one', '1.2 × (1.1 to 1.5)'],
  ])
  expect(noticedMs(own, 'latencies')).toBeCloseTo(40)
})

test('what was measured of each round is kept', () => {
  const kept = figures(new Map([['one', rounds({ longestMs: 15 }, { blocked: 3, waitMs: 24 })]]))
  const of = (name: string) => kept.find(({ what }) => what === `one, ${name}`)?.each
  expect(of('callers')).toEqual([10_001, 10_001])
  expect(of('blocked callers')).toEqual([0, 3])
  expect(of('from the call to what comes of it, max')).toEqual([15_000, 10_000])
  expect(of('from the moment at which a caller was due, max')).toEqual([10_000, 24_000])
  expect(kept).toHaveLength(12)
})

test('each library renews its tokens under load, and ours blocks nobody', async () => {
  const redis = await startRedis()
  try {
    const fleet = { isStill: false, processes: 2, redisUrl: redis.url, rotations: 1 }
    const [ours, bentocache] = await Promise.all(['tokenwell', 'bentocache'].map((contender) => run({ ...fleet, contender })))
    for (const each of [ours, bentocache]) {
      expect(each?.rotations).toBeGreaterThanOrEqual(1)
      expect(each?.requests).toBeGreaterThanOrEqual(1)
      // All who were due came, from every process.
      const due = (fleet.processes * CALLERS_A_TICK * durationMs(fleet.rotations)) / TICK_MS
      expect(each && howMany(each.latencies)).toBeGreaterThanOrEqual(0.99 * due)
    }
    expect(ours?.blocked).toBe(0)
  } finally {
    await redis.stop()
  }
})

test('another library is compared with itself while nothing is renewed, in its own rounds', () => {
  const quiet = rounds({}, {}, {})
  const other = { still: rounds({ longestMs: 100 }), rotating: rounds({ longestMs: 250 }) }
  const { rows } = ratios('latencies', { still: quiet, again: quiet, rotating: quiet }, [other])
  expect(rows.at(-1)?.at(-1)).toBe('2.5 × (2.5 to 2.5)')
})

interface Told {
  readonly blocked?: number
  readonly longestMs?: number
  readonly waitMs?: number
}

/** Of each round, what is not as in the others. */
function rounds(...each: readonly Told[]): Run[] {
  return each.map(({ blocked = 0, longestMs = 10, waitMs = 10 }) => {
    const counted = (longest: number) => {
      const histogram = new Histogram()
      for (let call = 0; call < 10_000; call++) histogram.record(300)
      histogram.record(longest * 1e6)
      return histogram.counted
    }
    return { name: 'one', latencies: counted(longestMs), waits: counted(waitMs), blocked, rotations: 20, requests: 20 }
  })
}

function broken(still: readonly Run[], again: readonly Run[], rotating: readonly Run[]): string[] {
  return limits({ still, again, rotating })
    .filter((limit) => !holds(limit))
    .map(({ what }) => what)
}
