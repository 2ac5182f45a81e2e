import { setTimeout as passed } from 'node:timers/promises'
import { type Counted, Histogram } from '../measure/histogram.ts'

export const TICK_MS = 1
export const CALLERS_A_TICK = 10

/** What callers met. */
export interface Met {
  /** From the call to what comes of it. */
  readonly latencies: Counted
  /** From the moment at which a caller was due: with the time for which the event loop had no turn for its call. */
  readonly waits: Counted
  /**
   * Calls that were not settled when the event loop turned. One that finds its token in memory is, by then, however many promises are in
   * between; one that waits for anything else is not.
   */
  readonly blocked: number
  /** Tokens that were another than the last of their key. */
  readonly changes: number
}

/**
 * Callers who come whether or not those before them have been served, to one key after the other. All who are due come: those of the moments
 * at which the event loop stood still come when it turns again, each moment's by themselves.
 */
export class Load {
  readonly #get: (index: number) => Promise<unknown>
  readonly #last: unknown[]
  #latencies = new Histogram()
  #waits = new Histogram()
  #blocked = 0
  #changes = 0
  #turn = 0
  #calls = 0
  /** Calls of this turn that are not settled. */
  #open = 0
  /** Calls of earlier turns that are not. */
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  /** Moments since the start whose callers have come. */
  #ticks = 0

  constructor(get: (index: number) => Promise<unknown>, keys: number) {
    this.#get = get
    this.#last = Array.from({ length: keys })
  }

  start(): void {
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#catchUp(), TICK_MS)
  }

  /** Some callers, and a look at which of them have been served without any I/O. */
  tick(dueAt = performance.now()): void {
    // Both run in one phase of the event loop: between them there is time for promises, and for nothing else.
    setImmediate(() => this.#call(dueAt))
    setImmediate(() => this.#turnOver())
  }

  /** What has been met since the start, or since this was called last. */
  take(): Met {
    const met = { latencies: this.#latencies.counted, waits: this.#waits.counted, blocked: this.#blocked, changes: this.#changes }
    this.#latencies = new Histogram()
    this.#waits = new Histogram()
    this.#blocked = 0
    this.#changes = 0
    return met
  }

  /** Resolves when all callers who are due by now have been served. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) this.#catchUp()
    clearInterval(this.#timer)
    do await passed(TICK_MS)
    while (this.#open + this.#waiting > 0)
  }

  /** A timer that is late fires once for all the moments that it has missed. */
  #catchUp(): void {
    const due = Math.floor((performance.now() - this.#startedAt) / TICK_MS)
    while (this.#ticks < due) {
      this.#ticks++
      this.tick(this.#startedAt + this.#ticks * TICK_MS)
    }
  }

  #call(dueAt: number): void {
    for (let each = 0; each < CALLERS_A_TICK; each++) void this.#callOne(this.#calls++ % this.#last.length, dueAt)
  }

  async #callOne(index: number, dueAt: number): Promise<void> {
    const turn = this.#turn
    this.#open++
    const begun = performance.now()
    const token = await this.#get(index)
    const settled = performance.now()
    this.#latencies.record((settled - begun) * 1e6)
    this.#waits.record((settled - dueAt) * 1e6)
    if (turn === this.#turn) this.#open--
    else this.#waiting--
    if (token === this.#last[index]) return
    this.#last[index] = token
    this.#changes++
  }

  #turnOver(): void {
    this.#turn++
    this.#blocked += this.#open
    this.#waiting += this.#open
    this.#open = 0
  }
}
