/**
 * Time as core sees it. Two clocks, because each is wrong where the other is right: the monotonic one stands still while the machine is
 * suspended, the wall clock can be set.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; may step in both directions. */
  wall(): number
  /** Milliseconds since an arbitrary start; never goes back, may stand still while the machine sleeps. */
  monotonic(): number
  /**
   * Calls `run` once after `delayMs` (≥ 0) of monotonic time and returns a function that cancels it.
   * With `keepAlive` the process stays up until then; without, the timer never keeps it alive.
   */
  schedule(run: () => void, delayMs: number, keepAlive?: boolean): () => void
}

/** setTimeout treats a longer delay as 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** The machine's clocks. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(run, delayMs, keepAlive = false) {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS))
    if (!keepAlive) timer.unref()
    return () => clearTimeout(timer)
  },
}
