import { type Draws, drawsOf } from '../../packages/testkit/src/simulation/random.ts'
import type { StoreName } from './options.ts'

/** Where a process can be frozen or killed: what it has just done, or is about to. */
export const POINTS = ['claimed', 'requesting', 'replied', 'publishing', 'published'] as const

export const PROCESS_FAULTS = ['kill', 'freeze', 'roll', ...POINTS.flatMap((point) => [`kill at ${point}`, `freeze at ${point}`] as const)]
export const WIRE_FAULTS = ['cut', 'replies swallowed', 'replies late', 'requests late', 'reset'] as const
export const SERVER_FAULTS = {
  redis: [
    'stall',
    'restart',
    'restart empty',
    'FLUSHALL',
    'record lost',
    'SCRIPT FLUSH',
    'CLIENT KILL',
    'CLIENT PAUSE',
    'failover',
    'failover without the last writes',
  ],
  postgres: [
    'stall',
    'restart',
    'backends terminated',
    'table locked',
    'table emptied',
    'record lost',
    'failover',
    'failover without the last writes',
  ],
  sqlite: ['write lock', 'writer killed', 'exclusive lock', 'table emptied', 'record lost'],
} as const satisfies Readonly<Record<StoreName, readonly string[]>>
export const PLATFORM_FAULTS = [
  'outage',
  'hang',
  'throttle',
  'slow',
  'html',
  'empty',
  'truncated',
  'wrong types',
  'token missing',
  'life too short',
  'request lost',
  'reply lost',
  'app revoked',
  'tenant revoked',
  'user revoked',
] as const
export const TICKET_EVENTS = ['push', 'push', 'push', 'redelivery', 'redelivery', 'tickets dead'] as const

/** What a fault strikes. Faults of one target follow one another, those of different targets overlap as it comes. */
export type Target = { readonly on: 'process' | 'wire'; readonly node: number } | { readonly on: 'server' | 'platform' | 'tickets' }

/** One thing that goes wrong. Milliseconds from the moment when the fleet was sound. */
export type Planned = Target & {
  readonly at: number
  readonly forMs: number
  readonly kind: string
  /** For whatever else has to be chosen: a draw from [0, 1). */
  readonly draw: number
}

export interface PlanOptions {
  readonly seed: number
  readonly store: StoreName
  readonly processes: number
  /** How long things go wrong. */
  readonly forMs: number
}

interface Lane {
  readonly target: Target
  readonly kinds: readonly string[]
  /** Least and most time between two faults, milliseconds. */
  readonly gap: readonly [number, number]
  /** Least and most time that one lasts, milliseconds. */
  readonly length: readonly [number, number]
}

/** A process is never stopped for longer than this. */
const FREEZE_MS = 12_000

/** Draws what will go wrong, in order of time. Everything has an end before `forMs`. */
export function drawPlan({ seed, store, processes, forMs }: PlanOptions): Planned[] {
  const each = Array.from({ length: processes }, (_, node) => node)
  const lanes: Lane[] = [
    ...each.map(
      (node): Lane => ({ target: { on: 'process', node }, kinds: PROCESS_FAULTS, gap: [2_000, 25_000], length: [100, FREEZE_MS] }),
    ),
    // Processes reach a file without a wire.
    ...(store === 'sqlite'
      ? []
      : each.map((node): Lane => ({ target: { on: 'wire', node }, kinds: WIRE_FAULTS, gap: [4_000, 40_000], length: [100, 10_000] }))),
    { target: { on: 'server' }, kinds: SERVER_FAULTS[store], gap: [1_500, 8_000], length: [100, 10_000] },
    // Failures in a row double the wait for the next try: an upstream that is down most of the time would be waited for up to a minute.
    { target: { on: 'platform' }, kinds: PLATFORM_FAULTS, gap: [2_000, 10_000], length: [100, 6_000] },
    { target: { on: 'tickets' }, kinds: TICKET_EVENTS, gap: [800, 5_000], length: [1, 2] },
  ]
  return lanes.flatMap((lane) => drawLane(drawsOf(seed, nameOf(lane.target)), lane, forMs)).sort((one, other) => one.at - other.at)
}

export function nameOf(target: Target): string {
  return 'node' in target ? `${target.on} ${target.node}` : target.on
}

function drawLane(draws: Draws, { target, kinds, gap, length }: Lane, forMs: number): Planned[] {
  const found: Planned[] = []
  // The first gap begins before, so that not everything is sound at first.
  let at = draws.spread(...gap) * draws.fraction()
  while (at < forMs) {
    const lastsMs = Math.min(draws.spread(...length), forMs - at)
    found.push({ ...target, at: Math.floor(at), forMs: Math.floor(lastsMs), kind: draws.pick(kinds), draw: draws.fraction() })
    at += lastsMs + draws.spread(...gap)
  }
  return found
}
