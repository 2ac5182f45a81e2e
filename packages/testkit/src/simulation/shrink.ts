import { QUIET_MS } from './plan.ts'
import { type SimulationOptions, type SimulationReport, simulate } from './simulate.ts'
import type { Trouble } from './trouble.ts'

const HOUR_MS = 3_600_000

export interface Shrunk {
  /** What to call `simulate` with to see it again. */
  readonly options: SimulationOptions
  readonly report: SimulationReport
  /** How many worlds were played to find it. */
  readonly runs: number
}

/**
 * Looks for the least in which the same still goes wrong, the first violation of the world: fewer troubles, shorter ones, fewer processes, fewer
 * hours. At most `runs` worlds are played. Default 400.
 *
 * @param options of a simulation that reports violations
 * @throws RangeError when the simulation reports none
 */
export async function shrink(options: SimulationOptions, { runs = 400 }: { readonly runs?: number } = {}): Promise<Shrunk> {
  const first = await simulate(options)
  const [worst] = first.violations
  if (worst === undefined) throw new RangeError(`shrink: seed ${options.seed} reports no violation`)
  const search = new Search(runs, kindOf(worst))
  let least: Found = { options: { ...options, plan: first.plan }, report: first }
  least = await search.fewerTroubles(least)
  least = await search.shorterTroubles(least)
  least = await search.smallerWorld(least)
  return { ...least, runs: search.played }
}

interface Found {
  readonly options: SimulationOptions & { readonly plan: readonly Trouble[] }
  readonly report: SimulationReport
}

class Search {
  played = 0
  readonly #limit: number
  /** What goes wrong: another thing that does is another search. */
  readonly #kind: string

  constructor(limit: number, kind: string) {
    this.#limit = limit
    this.#kind = kind
  }

  /** Leaves out ever smaller parts of the plan. */
  async fewerTroubles(found: Found): Promise<Found> {
    let least = found
    for (let size = Math.ceil(least.options.plan.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < least.options.plan.length; ) {
        const { plan } = least.options
        const smaller = await this.#try({ ...least.options, plan: [...plan.slice(0, from), ...plan.slice(from + size)] })
        if (smaller === undefined) from += size
        else least = smaller
      }
    }
    return least
  }

  async shorterTroubles(found: Found): Promise<Found> {
    let least = found
    for (let index = 0; index < found.options.plan.length; index += 1) {
      for (let trouble = least.options.plan[index]; trouble !== undefined && trouble.forMs >= 2; trouble = least.options.plan[index]) {
        const shorter = { ...trouble, forMs: Math.floor(trouble.forMs / 2) }
        const smaller = await this.#try({ ...least.options, plan: least.options.plan.with(index, shorter) })
        if (smaller === undefined) break
        least = smaller
      }
    }
    return least
  }

  async smallerWorld(found: Found): Promise<Found> {
    const { plan, nodes = 5 } = found.options
    const named = plan.map((trouble) => ('node' in trouble ? (trouble.node ?? 0) : 0))
    let least = found
    for (let fewer = nodes - 1; fewer > Math.max(0, ...named); fewer -= 1) {
      const smaller = await this.#try({ ...least.options, nodes: fewer })
      if (smaller === undefined) break
      least = smaller
    }
    const over = Math.max(0, ...plan.map(({ at, forMs }) => at + forMs))
    return (await this.#try({ ...least.options, hours: Math.ceil((over + QUIET_MS) / HOUR_MS) })) ?? least
  }

  async #try(options: Found['options']): Promise<Found | undefined> {
    if (this.played >= this.#limit) return undefined
    this.played += 1
    const report = await simulate(options)
    return report.violations.some((violation) => kindOf(violation) === this.#kind) ? { options, report } : undefined
  }
}

/** What a violation says without its moment, and without the names of processes and attempts and the numbers in it. */
function kindOf(violation: string): string {
  return violation
    .replace(/^[\d.]+ s: /, '')
    .replace(/\bn\d+(?:\.\w+)*/g, 'n')
    .replace(/\d+/g, '0')
}
