import type { Benchmark } from './benchmark.ts'
import { times } from './report/figure.ts'
import { recorded } from './report/records.ts'
import { holds } from './report/report.ts'

const ROUNDS = 3
/** A ratio this much greater than the recorded one is no noise, but for the tails, which need only hold. */
const ROOM = 1.6

/** Measures the ratios of our own again, quickly. @returns whether none of them is much greater than it was */
export async function gate(benchmarks: readonly Benchmark[], progress: (what: string) => void): Promise<boolean> {
  let isHeld = true
  for (const { name, measure } of benchmarks) {
    const known = new Map(recorded(name)?.limits.map(({ what, ratio }) => [what, ratio]))
    const { limits } = await measure({ rounds: ROUNDS, ownOnly: true, progress: () => {} })
    for (const limit of limits) {
      const { what, ratio, isTail } = limit
      const before = known.get(what)
      const isGreater = before === undefined || (isTail ? !holds(limit) : ratio > before * ROOM)
      if (isGreater) isHeld = false
      progress(`${isGreater ? '✗' : '✓'} ${name}: ${what}: ${times(ratio)}, recorded ${before === undefined ? 'nothing' : times(before)}`)
    }
  }
  return isHeld
}
