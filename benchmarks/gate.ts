import type { Benchmark } from './benchmark.ts'
import { times } from './report/figure.ts'
import { recorded } from './report/records.ts'
import { holds, type Limit } from './report/report.ts'

const ROUNDS = 3
/** A busy machine makes a ratio greater now and then, a change that costs something makes it greater each time. */
const ATTEMPTS = 3
/** A ratio this much greater than the recorded one is no noise, but for the loose ones, which need only hold. */
const ROOM = 1.6
/** And no noise is so great that a ratio may be this much above the most that it may be. */
const BEYOND = 1.1

/**
 * Measures the ratios of our own again, quickly: but for those to fixed milliseconds, which say as much of the machine.
 * @param known the ratios that were recorded of a benchmark, by what they are of
 * @returns whether none of them is much greater than it was, in every attempt
 */
export async function gate(
  benchmarks: readonly Benchmark[],
  progress: (what: string) => void,
  known: (benchmark: string) => ReadonlyMap<string, number> = recordedRatios,
): Promise<boolean> {
  let isHeld = true
  for (const { name, measure } of benchmarks) {
    const before = known(name)
    const kept = new Map<string, Limit>()
    const isGreater = (limit: Limit) => isMuchGreater(limit, before.get(limit.what))
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const { limits } = await measure({ rounds: ROUNDS, ownOnly: true, progress: () => {} })
      for (const limit of limits) if (limit.isOfTime !== true) kept.set(limit.what, worthKeeping(limit, kept.get(limit.what)))
      if (![...kept.values()].some((limit) => isGreater(limit) && limit.isExact !== true)) break
    }
    if (kept.size === 0) {
      isHeld = false
      progress(`✗ ${name}: nothing was measured`)
    }
    for (const limit of kept.values()) {
      const { what, ratio } = limit
      const was = before.get(what)
      if (isGreater(limit)) isHeld = false
      progress(`${isGreater(limit) ? '✗' : '✓'} ${name}: ${what}: ${times(ratio)}, recorded ${was === undefined ? 'nothing' : times(was)}`)
    }
  }
  return isHeld
}

/** The least of all attempts, and the greatest of a count. */
function worthKeeping(limit: Limit, other: Limit | undefined): Limit {
  if (other === undefined) return limit
  return limit.ratio > other.ratio === (limit.isExact === true) ? limit : other
}

function isMuchGreater(limit: Limit, before: number | undefined): boolean {
  if (before === undefined) return true
  if (limit.isLoose || limit.isExact) return !holds(limit)
  return limit.ratio > Math.min(before * ROOM, limit.most * BEYOND)
}

function recordedRatios(benchmark: string): ReadonlyMap<string, number> {
  return new Map(recorded(benchmark)?.limits.map(({ what, ratio }) => [what, ratio]))
}
