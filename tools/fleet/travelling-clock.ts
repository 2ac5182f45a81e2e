import type { Clock } from '@tokenwell/core'

interface Timer {
  readonly dueAt: number
  readonly run: () => void
  readonly keepAlive: boolean
  cancel: () => void
}

/** The machine's clocks, which can be moved on: timers that fall due by it run at once. While it is still, none runs. */
export class TravellingClock implements Clock {
  readonly #timers = new Set<Timer>()
  #ahead = 0
  #isStill = false

  wall(): number {
    return Date.now() + this.#ahead
  }

  monotonic(): number {
    return performance.now() + this.#ahead
  }

  schedule(run: () => void, delayMs: number, keepAlive = false): () => void {
    const timer: Timer = { dueAt: this.monotonic() + delayMs, run, keepAlive, cancel: () => {} }
    this.#timers.add(timer)
    this.#arm(timer)
    return () => {
      this.#timers.delete(timer)
      timer.cancel()
    }
  }

  still(): void {
    this.#isStill = true
    for (const timer of this.#timers) timer.cancel()
  }

  /** Moves both clocks on, and lets timers run again. */
  pass(ms: number): void {
    this.#ahead += ms
    this.#isStill = false
    for (const timer of this.#timers) {
      timer.cancel()
      this.#arm(timer)
    }
  }

  #arm(timer: Timer): void {
    if (this.#isStill) return
    const handle = setTimeout(
      () => {
        this.#timers.delete(timer)
        timer.run()
      },
      // A longer delay than this would be none.
      Math.min(Math.max(timer.dueAt - this.monotonic(), 0), 2 ** 31 - 1),
    )
    if (!timer.keepAlive) handle.unref()
    timer.cancel = () => clearTimeout(handle)
  }
}
