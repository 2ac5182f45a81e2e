import type { Draws } from './random.ts'

/** What can go wrong on the way between a process and the store or the upstream. */
export const WIRE_FAULTS = ['lost-request', 'lost-reply', 'duplicate', 'late', 'slow', 'lost-hint', 'refused'] as const
export type WireFault = (typeof WIRE_FAULTS)[number]

/** What can happen to a process. While it is `misled` its callers report whatever they are given. */
export const PROCESS_FAULTS = ['crash', 'restart', 'freeze', 'sleep', 'wall-step', 'misled'] as const
export type ProcessFault = (typeof PROCESS_FAULTS)[number]

/** What can happen to whoever is granted a lease, right after that. */
export const HOLDER_FAULTS = ['freeze', 'sleep'] as const
export type HolderFault = (typeof HOLDER_FAULTS)[number]

/** What can happen to the store. `replaced`: it is empty, and its clock is behind. */
export const STORE_FAULTS = ['stall', 'down', 'clock-forward', 'clock-back', 'rollback', 'row-lost', 'replaced'] as const
export type StoreFault = (typeof STORE_FAULTS)[number]

/** One thing that goes wrong. Moments and durations in milliseconds of true time. */
export type Trouble = {
  readonly at: number
  readonly forMs: number
} /** Messages of one process, or of all, each with this probability. */ & (
  | {
      readonly on: 'wire'
      readonly kind: WireFault
      readonly node?: number
      readonly to: 'store' | 'upstream'
      readonly probability: number
    }
  | { readonly on: 'process'; readonly kind: ProcessFault; readonly node: number; readonly byMs: number }
  | { readonly on: 'holder'; readonly kind: HolderFault; readonly byMs: number; readonly probability: number }
  | { readonly on: 'store'; readonly kind: StoreFault; readonly byMs: number }
  /** Whatever the upstream of the scenario can suffer. */
  | { readonly on: 'upstream'; readonly kind: string }
)

export interface PlanOptions {
  readonly nodes: number
  readonly hours: number
  /** How many things go wrong. */
  readonly troubles: number
  readonly upstreamFaults: readonly string[]
  readonly canRollBack: boolean
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Nothing goes wrong while a fleet starts, milliseconds. */
const CALM_MS = MINUTE_MS

/** Quiet at the end, in which everything must come to rest, milliseconds. */
export const QUIET_MS = 40 * MINUTE_MS

/** Draws what will go wrong, in order of time. */
export function drawPlan(draws: Draws, options: PlanOptions): Trouble[] {
  const end = options.hours * HOUR_MS - QUIET_MS
  const kinds = kindsOf(options)
  const troubles = Array.from({ length: options.troubles }, () => {
    const at = Math.floor(draws.between(CALM_MS, end))
    const drawn = draws.pick(kinds)({ at, node: draws.whole(0, options.nodes - 1), draws })
    return { ...drawn, forMs: Math.min(Math.floor(drawn.forMs), end - at) }
  })
  return troubles.sort((one, other) => one.at - other.at)
}

interface Given {
  readonly at: number
  readonly node: number
  readonly draws: Draws
}

/** One for each kind of trouble, all as likely. */
function kindsOf({ upstreamFaults, canRollBack }: PlanOptions): ((given: Given) => Trouble)[] {
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
  const onHolder = (kind: HolderFault, byMs: (draws: Draws) => number) => {
    return ({ at, draws }: Given): Trouble => {
      const forMs = draws.spread(5 * MINUTE_MS, HOUR_MS)
      return { at, forMs, on: 'holder', kind, byMs: Math.floor(byMs(draws)), probability: draws.between(0.2, 1) }
    }
  }
  const onStore = (kind: StoreFault, forMs: (draws: Draws) => number, byMs: (draws: Draws) => number = () => 0) => {
    return ({ at, draws }: Given): Trouble => ({ at, forMs: forMs(draws), on: 'store', kind, byMs: Math.floor(byMs(draws)) })
  }
  const atOnce = () => 0
  return [
    ...WIRE_FAULTS.map(toStore),
    ...WIRE_FAULTS.filter((kind) => kind !== 'lost-hint').map(toUpstream),
    onProcess('crash', (draws) => draws.spread(10, 10 * MINUTE_MS)),
    onProcess(
      'restart',
      (draws) => draws.spread(10, MINUTE_MS),
      (draws) => (draws.chance(0.5) ? 0 : draws.between(1, 10_000)),
    ),
    onProcess('freeze', (draws) => draws.spread(10, 2 * MINUTE_MS)),
    onProcess('sleep', (draws) => draws.spread(1_000, 3 * HOUR_MS)),
    onProcess('wall-step', atOnce, (draws) => draws.spread(1_000, 24 * HOUR_MS) * (draws.chance(0.5) ? 1 : -1)),
    onProcess('misled', (draws) => draws.spread(MINUTE_MS, 10 * MINUTE_MS)),
    onHolder('freeze', (draws) => draws.between(500, 12_000)),
    onHolder('sleep', (draws) => draws.spread(1_000, HOUR_MS)),
    onStore('stall', (draws) => draws.spread(100, 30_000)),
    onStore('down', (draws) => draws.spread(1_000, 30 * MINUTE_MS)),
    onStore('clock-forward', atOnce, (draws) => draws.spread(10, HOUR_MS)),
    onStore('clock-back', atOnce, (draws) => draws.spread(10, HOUR_MS)),
    ...(canRollBack
      ? [
          onStore('rollback', atOnce, (draws) => draws.spread(10, 5 * MINUTE_MS)),
          onStore('row-lost', atOnce),
          onStore('replaced', atOnce, (draws) => draws.spread(1_000, HOUR_MS)),
        ]
      : []),
    ...upstreamFaults.map((kind) => ({ at, draws }: Given): Trouble => {
      return { at, forMs: draws.spread(1_000, 20 * MINUTE_MS), on: 'upstream', kind }
    }),
  ]
}
