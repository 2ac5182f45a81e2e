import { median, ratio, type Spread } from '../measure/statistics.ts'
import { type Limit, limit } from '../report/report.ts'
import { type Measure, microseconds, stillMicroseconds } from './quantiles.ts'
import type { Run } from './run.ts'

/** What was measured of our own, by round. */
export interface Own {
  readonly still: readonly Run[]
  /** The same once more: what differs between the two is noise. */
  readonly again: readonly Run[]
  readonly rotating: readonly Run[]
}

/** The limit on a ratio, however alike the runs without renewals are: renewals are work, done on the same processors. */
export const LEAST = 2
/** And however much they differ: noise is not to excuse anything. */
export const MOST = 4
/**
 * An event loop that stands still for so much longer than it ever did without renewals is noticed even if it does so once. Where it stands still
 * for longer without any, the machine is too busy to tell.
 */
export const STALL_MS = 50

const P999 = { name: 'p99.9 of', share: 0.999 }
const LONGEST = { name: 'longest', share: 1 }
type Tail = typeof P999

export function limits(own: Own): Limit[] {
  const rotations = sum(own.rotating.map((each) => each.rotations))
  return [
    { what: 'blocked callers to renewals', ratio: sum(own.rotating.map(({ blocked }) => blocked)) / rotations, most: 0, isExact: true },
    compared(own, P999, 'latencies', 'get()'),
    compared(own, LONGEST, 'latencies', 'get()'),
    compared(own, P999, 'waits', 'wait of a due caller'),
    compared(own, LONGEST, 'waits', 'wait of a due caller'),
    {
      what: `longest wait of a due caller in all rounds to ${STALL_MS} ms more than without renewals`,
      ratio: longestWaitMs(own.rotating) / noticedOnceMs(own),
      most: 1,
      isLoose: true,
    },
    {
      what: `longest wait of a due caller in all rounds without renewals to ${STALL_MS} ms`,
      ratio: longestWaitMs([...own.still, ...own.again]) / STALL_MS,
      most: 1,
      isOfTime: true,
    },
  ]
}

/** Of our own with renewals, by what was measured without any in the same round. */
export function toStill({ still, again, rotating }: Own, measure: Measure, share: number): Spread {
  return ratio(microseconds(rotating, measure, share), stillMicroseconds(still, again, measure, share))
}

/** What the longest of each round is at least, milliseconds, when the limit on it is broken by most rounds. */
export function noticedMs(own: Own, measure: Measure): number {
  const still = stillMicroseconds(own.still, own.again, measure, LONGEST.share)
  // The limit is on the median of such ratios.
  const ratios = still.map((microseconds) => 1_000 / microseconds)
  return mostOf(own, LONGEST.share, measure) / median(ratios)
}

/** What the longest wait is, milliseconds, when a single round breaks the limit on it. */
export function noticedOnceMs({ still, again }: Own): number {
  return longestWaitMs([...still, ...again]) + STALL_MS
}

function compared(own: Own, tail: Tail, measure: Measure, of: string): Limit {
  const most = mostOf(own, tail.share, measure)
  return { ...limit(`${tail.name} ${of} to the same without renewals`, toStill(own, measure, tail.share), most), isLoose: true }
}

/** As far as two runs without renewals were apart in any round. */
function mostOf({ still, again }: Own, share: number, measure: Measure): number {
  const apart = ratio(microseconds(again, measure, share), microseconds(still, measure, share))
  return Math.min(MOST, Math.max(LEAST, apart.greatest, 1 / apart.least))
}

function longestWaitMs(runs: readonly Run[]): number {
  return Math.max(...microseconds(runs, 'waits', 1)) / 1_000
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
