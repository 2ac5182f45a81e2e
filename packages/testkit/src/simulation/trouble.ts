/** What can go wrong on the way between a process and the store or the upstream. */
export const WIRE_FAULTS = ['lost-request', 'lost-reply', 'duplicate', 'late', 'slow', 'lost-hint', 'refused'] as const
export type WireFault = (typeof WIRE_FAULTS)[number]

/** What can happen to a process, or to all. While it is `misled` its callers report whatever they are given. */
export const PROCESS_FAULTS = ['crash', 'restart', 'freeze', 'sleep', 'wall-step', 'misled'] as const
export type ProcessFault = (typeof PROCESS_FAULTS)[number]

/**
 * What can happen to whoever is granted a lease, right after that or while it publishes. `overrun`: the store's clock is set forward, and the lease is over
 * there.
 */
export const HOLDER_FAULTS = ['crash', 'restart', 'freeze', 'sleep', 'overrun'] as const
export type HolderFault = (typeof HOLDER_FAULTS)[number]

/**
 * What can happen to the store. `stall` and `down` last for `forMs`, or, where `byMs` is more than 0, for
 * `byMs` from when somebody is granted a lease or publishes within `forMs`. `rollback`: it is as it was `byMs` before, once something was written since. `row-lost`: one record is gone.
 * `emptied`: all are. `replaced`: that, and its clock is behind.
 */
export const STORE_FAULTS = ['stall', 'down', 'clock-forward', 'clock-back', 'rollback', 'row-lost', 'emptied', 'replaced'] as const
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
  | { readonly on: 'process'; readonly kind: ProcessFault; readonly node?: number; readonly byMs: number }
  | { readonly on: 'holder'; readonly kind: HolderFault; readonly byMs: number; readonly probability: number }
  | { readonly on: 'store'; readonly kind: StoreFault; readonly byMs: number }
  /** Whatever the upstream of the scenario can suffer. */
  | { readonly on: 'upstream'; readonly kind: string }
)
