import type { Benchmark } from './benchmark.ts'
import { times } from './report/figure.ts'
import { recorded } from './report/records.ts'
import { holds, type Limit } from './report/report.ts'
import { ATTEMPTS, BEYOND, ROOM, ROOM_OF_AMOUNTS } from './report/room.ts'

const ROUNDS = 3
/**
 * What only a whole run measures, as its limits are named: ratios to another library, and of many tenants those of more than one process or of
 * a named store; and of keys that rest, which takes minutes. Whatever is named otherwise must come up again, so a library that is missing here does not pass.
 */
const OF_WHOLE_RUNS = [/ to (keyv|bentocache|cacheable|msal-node|the official)\b/, /, processes: (?!1$)\d+$/, / tenants of /, / that rest$/]

/**
 * Measures the ratios of our own again, quickly: but for those to fixed milliseconds, which say as much of the machine.
 * @param known the limits that were recorded of a benchmark
 * @returns whether all of them were measured again, and none of them is much greater than it was, in every attempt
 */
export async function gate(
  benchmarks: readonly Benchmark[],
  progress: (what: string) => void,
  known: (benchmark: string) => readonly Limit[] = (benchmark) => recorded(benchmark)?.limits ?? [],
): Promise<boolean> {
  let isHeld = true
  for (const { name, measure } of benchmarks) {
    const before = new Map(known(name).map((limit) => [limit.what, limit]))
    const kept = new Map<string, Limit>()
    const isGreater = (limit: Limit) => isMuchGreater(limit, before.get(limit.what)?.ratio)
    const mayBeNoise = (limit: Limit) => isGreater(limit) && limit.isExact !== true && !Number.isNaN(limit.ratio)
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const { limits } = await measure({ rounds: ROUNDS, ownOnly: true, progress: () => {} })
      for (const limit of limits) if (limit.isOfTime !== true) kept.set(limit.what, worthKeeping(limit, kept.get(limit.what)))
      if (![...kept.values()].some(mayBeNoise)) break
    }
    if (kept.size === 0) {
      isHeld = false
      progress(`✗ ${name}: nothing was measured`)
    }
    for (const limit of kept.values()) {
      const { what, ratio } = limit
      if (isGreater(limit)) isHeld = false
      progress(`${isGreater(limit) ? '✗' : '✓'} ${name}: ${what}: ${timesIfAny(ratio)}, recorded ${timesIfAny(before.get(what)?.ratio)}`)
    }
    for (const { what, ratio } of [...before.values()].filter((limit) => isMeasuredQuickly(limit) && !kept.has(limit.what))) {
      isHeld = false
      progress(`✗ ${name}: ${what}: ${timesIfAny(undefined)}, recorded ${timesIfAny(ratio)}`)
    }
  }
  return isHeld
}

/** The least of all attempts, and the greatest of a count. What was no number once stays so: that is no noise. */
function worthKeeping(limit: Limit, other: Limit | undefined): Limit {
  if (other === undefined) return limit
  if (Number.isNaN(limit.ratio) || Number.isNaN(other.ratio)) return Number.isNaN(limit.ratio) ? limit : other
  return limit.ratio > other.ratio === (limit.isExact === true) ? limit : other
}

function isMeasuredQuickly({ what, isOfTime }: Limit): boolean {
  return isOfTime !== true && !OF_WHOLE_RUNS.some((name) => name.test(what))
}

function isMuchGreater(limit: Limit, before: number | undefined): boolean {
  if (before === undefined) return true
  if (limit.isLoose || limit.isExact) return !holds(limit)
  // Written so that what is no number does not pass: it is neither greater nor less.
  return !(limit.ratio <= mostOf(limit, before))
}

function mostOf({ most, room, isAmount }: Limit, before: number): number {
  // A limit with a room of its own depends on the moment: what was recorded is of another.
  if (room !== undefined) return most * room
  return isAmount ? Math.min(before * ROOM_OF_AMOUNTS, most) : Math.min(before * ROOM, most * BEYOND)
}

function timesIfAny(ratio: number | undefined): string {
  return ratio === undefined || !Number.isFinite(ratio) ? 'nothing' : times(ratio)
}
