import { countedQuantile } from '../measure/histogram.ts'
import type { Run } from './run.ts'

/** What is measured of a caller: from its call, or from the moment at which it was due. */
export type Measure = 'latencies' | 'waits'

export const QUANTILES = [
  { name: 'p50', share: 0.5 },
  { name: 'p99', share: 0.99 },
  { name: 'p99.9', share: 0.999 },
  { name: 'max', share: 1 },
]

/** Of each round. */
export function microseconds(rounds: readonly Run[], measure: Measure, share: number): number[] {
  return rounds.map((each) => countedQuantile(each[measure], share) / 1_000)
}

/** What a run with renewals is compared with: the mean of the two without that were measured before and after it. */
export function stillMicroseconds(still: readonly Run[], again: readonly Run[], measure: Measure, share: number): number[] {
  const after = microseconds(again, measure, share)
  return microseconds(still, measure, share).map((before, round) => (before + (after[round] ?? Number.NaN)) / 2)
}
