import type { Draws } from './random.ts'
import { type HolderFault, type ProcessFault, type StoreFault, type Trouble, WIRE_FAULTS, type WireFault } from './trouble.ts'

export interface PlanOptions {
  readonly nodes: number
  readonly hours: number
  /** How many things go wrong. */
  readonly troubles: number
  readonly upstreamFaults: readonly string[]
  readonly canRollBack: boolean
  readonly canLoseRows: boolean
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Nothing goes wrong while a fleet starts, milliseconds. */
const CALM_MS = MINUTE_MS

/** Quiet at the end, in which everything must come to rest, milliseconds. */
export const QUIET_MS = 40 * MINUTE_MS

/** Until when something may be wrong in a world of so many hours, milliseconds. */
export function lastMomentOf(hours: number): number {
  return hours * HOUR_MS - QUIET_MS
}

/** Draws what will go wrong, in order of time. */
export function drawPlan(draws: Draws, options: PlanOptions): Trouble[] {
  const end = lastMomentOf(options.hours)
  const kinds = someOf(kindsOf(options), draws)
  const troubles = Array.from({ length: options.troubles }, () => {
    const at = Math.floor(draws.between(CALM_MS, end))
    const drawn = draws.pick(kinds).draw({ at, node: draws.whole(0, options.nodes - 1), draws })
    return { ...drawn, forMs: Math.min(Math.floor(drawn.forMs), end - at) }
  })
  return troubles.sort((one, other) => one.at - other.at)
}

interface Given {
  readonly at: number
  readonly node: number
  readonly draws: Draws
}

type Draw = (given: Given) => Trouble

interface Kind {
  /** Whose clocks it sets or stops, or that it is the upstream's alone. */
  readonly touches?: 'clocks' | 'upstream'
  readonly draw: Draw
}

/** Worlds in which nothing goes wrong but the upstream and the way to it; and those in which every clock goes as it should. */
const UPSTREAM_ONLY = 0.1
const NO_CLOCKS = 0.25
/** How likely each kind of trouble is to be one of a world's: what one hides, such as a crash what would come of a freeze, shows in another. */
const KEPT = 2 / 3

/** A store's clock is not set for each lease. */
const OVERRUN = 0.5

/** How often a store fails at any moment, whether somebody asks it or not. */
const AT_ONCE = 0.25

/** How often callers that report good tokens are those of one process alone. */
const ONE_MISLED = 0.7

/** The kinds of trouble that a world has. */
function someOf(kinds: readonly Kind[], draws: Draws): readonly Kind[] {
  const sort = draws.fraction()
  const of = kinds.filter(({ touches }) => {
    if (sort < UPSTREAM_ONLY) return touches === 'upstream'
    return sort >= UPSTREAM_ONLY + NO_CLOCKS || touches !== 'clocks'
  })
  const kept = of.filter(() => draws.chance(KEPT))
  if (kept.length > 0) return kept
  return of.length > 0 ? of : kinds
}

/** One for each kind of trouble, all as likely. */
function kindsOf({ upstreamFaults, canRollBack, canLoseRows }: PlanOptions): readonly Kind[] {
  const toStore = (kind: WireFault) => {
    return ({ at, node, draws }: Given): Trouble => {
      return { at, forMs: draws.spread(5_000, 20 * MINUTE_MS), on: 'wire', kind, to: 'store', node, probability: draws.between(0.2, 1) }
    }
  }
  // There is little to be struck: whoever asks, over a good part of a token's life.
  const toUpstream = (kind: WireFault) => {
    return ({ at, draws }: Given): Trouble => {
      return { at, forMs: draws.spread(5 * MINUTE_MS, HOUR_MS), on: 'wire', kind, to: 'upstream', probability: draws.between(0.2, 1) }
    }
  }
  const onProcess = (kind: ProcessFault, forMs: (draws: Draws) => number, byMs: (draws: Draws) => number = () => 0) => {
    return ({ at, node, draws }: Given): Trouble => ({ at, forMs: forMs(draws), on: 'process', kind, node, byMs: Math.floor(byMs(draws)) })
  }
  /** A wrong address is one machine's, or was rolled out to all. */
  const misled = ({ at, node, draws }: Given): Trouble => {
    const forMs = draws.spread(MINUTE_MS, 10 * MINUTE_MS)
    return { at, forMs, on: 'process', kind: 'misled', ...(draws.chance(ONE_MISLED) && { node }), byMs: 0 }
  }
  const onHolder = (kind: HolderFault, byMs: (draws: Draws) => number, most = 1) => {
    return ({ at, draws }: Given): Trouble => {
      const forMs = draws.spread(5 * MINUTE_MS, HOUR_MS)
      return { at, forMs, on: 'holder', kind, byMs: Math.floor(byMs(draws)), probability: draws.between(most / 5, most) }
    }
  }
  const onStore = (kind: StoreFault, forMs: (draws: Draws) => number, byMs: (draws: Draws) => number = () => 0) => {
    return ({ at, draws }: Given): Trouble => ({ at, forMs: forMs(draws), on: 'store', kind, byMs: Math.floor(byMs(draws)) })
  }
  const atOnce = () => 0
  /** A clock that is wrong is set right, mostly after somebody has been misled by it. */
  const untilSetRight = (draws: Draws) => draws.spread(MINUTE_MS, HOUR_MS)
  /** What is stored is asked for a few times an hour: at most moments a failure of it befalls nobody. */
  const failing = (kind: StoreFault, lastsMs: (draws: Draws) => number) => {
    return ({ at, draws }: Given): Trouble => {
      const ms = Math.floor(lastsMs(draws))
      if (draws.chance(AT_ONCE)) return { at, forMs: ms, on: 'store', kind, byMs: 0 }
      return { at, forMs: draws.spread(20 * MINUTE_MS, 2 * HOUR_MS), on: 'store', kind, byMs: ms }
    }
  }
  const of = (touches: Kind['touches'], draw: Draw): Kind => ({ draw, ...(touches !== undefined && { touches }) })
  const upstream: readonly Draw[] = [
    ...WIRE_FAULTS.filter((kind) => kind !== 'lost-hint').map(toUpstream),
    ...upstreamFaults.map((kind) => ({ at, draws }: Given): Trouble => {
      return { at, forMs: draws.spread(1_000, 20 * MINUTE_MS), on: 'upstream', kind }
    }),
  ]
  const clocks: readonly Draw[] = [
    onProcess('sleep', (draws) => draws.spread(1_000, 3 * HOUR_MS)),
    onProcess('wall-step', atOnce, (draws) => draws.spread(1_000, 24 * HOUR_MS) * (draws.chance(0.5) ? 1 : -1)),
    onHolder('sleep', (draws) => draws.spread(1_000, HOUR_MS)),
    onHolder('overrun', (draws) => draws.between(8_000, 30_000), OVERRUN),
    onStore('clock-forward', untilSetRight, (draws) => draws.spread(10, HOUR_MS)),
    onStore('clock-back', untilSetRight, (draws) => draws.spread(10, HOUR_MS)),
    ...(canRollBack ? [onStore('replaced', untilSetRight, (draws) => draws.spread(1_000, HOUR_MS))] : []),
  ]
  const others: readonly Draw[] = [
    ...WIRE_FAULTS.map(toStore),
    onProcess('crash', (draws) => draws.spread(10, 10 * MINUTE_MS)),
    onProcess(
      'restart',
      (draws) => draws.spread(10, MINUTE_MS),
      (draws) => (draws.chance(0.5) ? 0 : draws.between(1, 10_000)),
    ),
    onProcess('freeze', (draws) => draws.spread(10, 2 * MINUTE_MS)),
    misled,
    onHolder('freeze', (draws) => draws.between(500, 12_000)),
    onHolder('crash', (draws) => draws.spread(10, 10 * MINUTE_MS)),
    onHolder('restart', (draws) => draws.spread(10, MINUTE_MS)),
    failing('stall', (draws) => draws.spread(100, 30_000)),
    failing('down', (draws) => draws.spread(1_000, 30 * MINUTE_MS)),
    ...(canRollBack
      ? [
          onStore(
            'rollback',
            (draws) => draws.spread(5 * MINUTE_MS, 40 * MINUTE_MS),
            (draws) => draws.spread(10, 5 * MINUTE_MS),
          ),
          onStore('emptied', atOnce),
        ]
      : []),
    ...(canLoseRows ? [onStore('row-lost', atOnce)] : []),
  ]
  return [
    ...clocks.map((draw) => of('clocks', draw)),
    ...upstream.map((draw) => of('upstream', draw)),
    ...others.map((draw) => of(undefined, draw)),
  ]
}
