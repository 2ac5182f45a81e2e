import { monitorEventLoopDelay } from 'node:perf_hooks'
import { coreAwaitedMs } from './processor-time.ts'

/** So often the event loop is looked at, milliseconds. */
export const RESOLUTION_MS = 10

/** By how much the event loop was late, milliseconds. */
export interface LoopDelay {
  readonly p99Ms: number
  readonly longest: Longest
}

export interface Longest {
  readonly lateMs: number
  /** How long after the beginning the event loop turned again. */
  readonly afterMs: number
  /** For how long the thread could have run meanwhile and had no core; absent where the system does not tell. */
  readonly withoutCoreMs?: number
}

/** Looks from now on, in the main thread of a process. @returns what ends it */
export function watchLoop(): () => LoopDelay {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const begun = performance.now()
  let longest: Longest = { lateMs: 0, afterMs: 0 }
  let last = { at: begun, awaitedMs: coreAwaitedMs() }
  // The monitor tells how late it was at most, but not when.
  const looks = setInterval(() => {
    const at = performance.now()
    const awaitedMs = coreAwaitedMs()
    const lateMs = at - last.at - RESOLUTION_MS
    if (lateMs > longest.lateMs) {
      const withoutCoreMs = awaitedMs === undefined || last.awaitedMs === undefined ? undefined : awaitedMs - last.awaitedMs
      longest = { lateMs, afterMs: at - begun, ...(withoutCoreMs !== undefined && { withoutCoreMs }) }
    }
    last = { at, awaitedMs }
  }, RESOLUTION_MS)
  return () => {
    clearInterval(looks)
    delays.disable()
    // What is recorded is the time from one look to the next.
    return { p99Ms: Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS), longest }
  }
}
