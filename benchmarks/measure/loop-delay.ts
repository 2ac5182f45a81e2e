import { monitorEventLoopDelay } from 'node:perf_hooks'

/** So often the event loop is looked at, milliseconds. */
export const RESOLUTION_MS = 10

/** By how much the event loop was late, milliseconds. */
export interface LoopDelay {
  readonly p99Ms: number
  readonly longestMs: number
}

/** Looks from now on. @returns what ends it */
export function watchLoop(): () => LoopDelay {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  return () => {
    delays.disable()
    // What is recorded is the time from one look to the next.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    return { p99Ms: late(delays.percentile(99)), longestMs: late(delays.max) }
  }
}
