import { countedQuantile, Histogram } from './histogram.ts'
import { coreAwaitedMs } from './processor-time.ts'

/** So often the event loop is looked at, milliseconds. */
export const RESOLUTION_MS = 10

/** By how much the event loop was late, milliseconds. */
export interface LoopDelay {
  /** 99 of 100 moments lie between two looks of which the second was late by no more: a caller who comes at any moment waits no longer. */
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
  const delays = new Histogram()
  const begun = performance.now()
  let longest: Longest = { lateMs: 0, afterMs: 0 }
  let last = { at: begun, awaitedMs: coreAwaitedMs() }
  const look = () => {
    const at = performance.now()
    const awaitedMs = coreAwaitedMs()
    const lateMs = Math.max(0, at - last.at - RESOLUTION_MS)
    // By how long it was: a stall of a second is one look, and a hundred times as many callers come into it as between two others.
    delays.record(lateMs * 1e6, at - last.at)
    if (lateMs > longest.lateMs) {
      const withoutCoreMs = awaitedMs === undefined || last.awaitedMs === undefined ? undefined : awaitedMs - last.awaitedMs
      longest = { lateMs, afterMs: at - begun, ...(withoutCoreMs !== undefined && { withoutCoreMs }) }
    }
    last = { at, awaitedMs }
  }
  const looks = setInterval(look, RESOLUTION_MS)
  return () => {
    clearInterval(looks)
    look()
    return { p99Ms: countedQuantile(delays.counted, 0.99) / 1e6, longest }
  }
}
