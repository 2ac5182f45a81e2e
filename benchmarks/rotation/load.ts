import { setTimeout as passed } from 'node:timers/promises'
import { type Counted, Histogram } from '../measure/histogram.ts'

const TICK_MS = 1
const CALLERS_A_TICK = 10

/** What callers met. */
export interface Met {
  /** From the call to what comes of it. */
  readonly latencies: Counted
  /**
   * Calls that were not settled when the event loop turned. One that finds its token in memory is, by then, however many promises are in
   * between; one that waits for anything else is not.
   */
  readonly blocked: number
  /** Tokens that were another than the last of their key. */
  readonly changes: number
}

/** Callers who come whether or not those before them have been served, to one key after the other. */
export class Load {
  readonly #get: (index: number) => Promise<unknown>
  readonly #last: unknown[]
  #latencies = new Histogram()
  #blocked = 0
  #changes = 0
  #turn = 0
  #calls = 0
  /** Calls of this turn that are not settled. */
  #open = 0
  /** Calls of earlier turns that are not. */
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(get: (index: number) => Promise<unknown>, keys: number) {
    this.#get = get
    this.#last = Array.from({ length: keys })
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(), TICK_MS)
  }

  /** Some callers, and a look at which of them have been served without any I/O. */
  tick(): void {
    // Both run in one phase of the event loop: between them there is time for promises, and for nothing else.
    setImmediate(() => this.#call())
    setImmediate(() => this.#turnOver())
  }

  /** What has been met since the start, or since this was called last. */
  take(): Met {
    const met = { latencies: this.#latencies.counted, blocked: this.#blocked, changes: this.#changes }
    this.#latencies = new Histogram()
    this.#blocked = 0
    this.#changes = 0
    return met
  }

  /** Resolves when all callers have been served. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    do await passed(TICK_MS)
    while (this.#open + this.#waiting > 0)
  }

  #call(): void {
    for (let each = 0; each < CALLERS_A_TICK; each++) void this.#callOne(this.#calls++ % this.#last.length)
  }

  async #callOne(index: number): Promise<void> {
    const turn = this.#turn
    this.#open++
    const begun = performance.now()
    const token = await this.#get(index)
    this.#latencies.record((performance.now() - begun) * 1e6)
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
