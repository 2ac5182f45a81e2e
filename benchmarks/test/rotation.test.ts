import { setTimeout as passed, setImmediate as turned } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Histogram, howMany } from '../measure/histogram.ts'
import { holds } from '../report/report.ts'
import { limits } from '../rotation/index.ts'
import { Load } from '../rotation/load.ts'
import type { Run } from '../rotation/run.ts'
import { durationMs, FETCH_MS, freshMs, KEYS, lifeMs, SPACING_MS } from '../rotation/schedule.ts'

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
  const quiet = run({})
  expect(limits([quiet], [quiet]).every(holds)).toBe(true)
  const broken = (rotating: Run) =>
    limits([quiet], [rotating])
      .filter((limit) => !holds(limit))
      .map(({ what }) => what)
  expect(broken(run({ blocked: 1 }))).toEqual(['blocked callers to renewals'])
  expect(broken(run({ longest: 1_000_000 }))).toEqual(['longest get() to the same without renewals'])
})

function run({ blocked = 0, longest = 10_000 }: { blocked?: number; longest?: number }): Run {
  const histogram = new Histogram()
  for (let each = 0; each < 10_000; each++) histogram.record(300)
  histogram.record(longest)
  return { name: 'one', latencies: histogram.counted, blocked, rotations: 20, requests: 20 }
}
