import { type Clock, delayUntil } from './clock.ts'

/** One timer that can be moved, by the monotonic clock. The process stays up for it. */
export class Timer {
  readonly #clock: Clock
  readonly #run: () => void
  #cancel: (() => void) | undefined
  #moment = Number.POSITIVE_INFINITY

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock
    this.#run = run
  }

  at(moment: number): void {
    if (this.#cancel !== undefined && this.#moment === moment) return
    this.cancel()
    this.#moment = moment
    const fire = () => {
      this.#cancel = undefined
      this.#run()
    }
    this.#cancel = this.#clock.schedule(fire, delayUntil(moment, this.#clock), true)
  }

  noLaterThan(moment: number): void {
    if (this.#cancel === undefined || moment < this.#moment) this.at(moment)
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
