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

/** A larger disagreement of a node's two clocks about how much time has passed means a suspend or a step, milliseconds. */
export const CLOCK_DISAGREEMENT_MS = 5_000

/**
 * Notes that a request leaves now. The function it returns is for when the reply is there: it tells when the request was sent, by the
 * monotonic clock. If the machine slept in between, that is moved back by the sleep, which the monotonic clock did not see: durations in
 * the reply are counted from there, and what they give must not outlive its end by as long.
 */
export function departure(clock: Clock): () => number {
  const wall = clock.wall()
  const monotonic = clock.monotonic()
  return () => {
    const slept = clock.wall() - wall - (clock.monotonic() - monotonic)
    return slept > CLOCK_DISAGREEMENT_MS ? monotonic - slept : monotonic
  }
}

/** The delay after which a moment of the monotonic clock has come: a timer that fires a fraction early would find nothing due. */
export function delayUntil(moment: number, clock: Clock): number {
  return Math.max(0, Math.ceil(moment - clock.monotonic()))
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
