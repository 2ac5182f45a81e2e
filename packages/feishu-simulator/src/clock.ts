/**
 * Time as the simulator sees it. Core's `Clock` and the testkit's virtual clock both fit. Give the simulator a clock of its own where
 * a test sets the clocks of the nodes: the platform's time does not depend on theirs.
 */
export interface SimulatorClock {
  /** Milliseconds since the Unix epoch. Must not go back. */
  wall(): number
  /** Calls `run` once after `delayMs` (≥ 0) and returns a function that cancels it. */
  schedule(run: () => void, delayMs: number): () => void
}

/** setTimeout treats a longer delay as 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** The machine's time from now on, running `speed` times as fast. Its timers never keep the process alive. */
export function realClock(speed = 1): SimulatorClock {
  const startedAtMs = Date.now()
  const origin = performance.now()
  return {
    wall: () => startedAtMs + (performance.now() - origin) * speed,
    schedule(run, delayMs) {
      let timer: NodeJS.Timeout
      const arm = (leftMs: number): void => {
        const stepMs = Math.min(leftMs, LONGEST_DELAY_MS)
        timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs)
        timer.unref()
      }
      arm(Math.max(delayMs, 0) / speed)
      return () => clearTimeout(timer)
    },
  }
}

/** A wall clock corrected by less than this stands still for a moment; a larger step back is an error. */
const TOLERATED_STEP_MS = 1000

/** One source of time for every ledger, event and timer of a simulator; `stop` cancels all that is still to come. */
export class Timekeeper {
  readonly #clock: SimulatorClock
  readonly #pending = new Set<() => void>()
  #latestMs = Number.NEGATIVE_INFINITY

  constructor(clock: SimulatorClock) {
    this.#clock = clock
  }

  /** Milliseconds since the Unix epoch, never going back. Throws when the clock was set back: no remaining life would be true any more. */
  now(): number {
    const nowMs = this.#clock.wall()
    if (nowMs < this.#latestMs - TOLERATED_STEP_MS) {
      throw new Error(
        `the simulator's clock went back by ${this.#latestMs - nowMs} ms: give the simulator a clock of its own that only moves forward`,
      )
    }
    this.#latestMs = Math.max(this.#latestMs, nowMs)
    return this.#latestMs
  }

  /** Calls `run` after `delayMs`, unless the returned function or `stop` is called before. */
  after(delayMs: number, run: () => void): () => void {
    const cancel = this.#clock.schedule(() => {
      this.#pending.delete(cancelOnce)
      run()
    }, delayMs)
    const cancelOnce = (): void => {
      this.#pending.delete(cancelOnce)
      cancel()
    }
    this.#pending.add(cancelOnce)
    return cancelOnce
  }

  /** Resolves after `delayMs`, or at once when `signal` is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const wake = (): void => {
        cancel()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.after(delayMs, wake)
      signal.addEventListener('abort', wake)
    })
  }

  stop(): void {
    for (const cancel of [...this.#pending]) cancel()
  }
}
