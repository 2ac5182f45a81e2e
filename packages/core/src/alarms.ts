import type { Clock } from './clock.ts'

/** What is rung without a pause: whatever else the process does is to get its turn between two such heaps. */
const AT_ONCE = 100

/** Something that is to happen at some moment. Where it stands among others is kept in itself: it may be one of a hundred thousand. */
export interface Alarm {
  /** The moment, by the monotonic clock; of no meaning while it is not set. */
  rings: number
  /** Its place in the heap; see {@link UNSET}. */
  slot: number
  ring(): void
}

/** The slot of an alarm that is not set. */
export const UNSET = -1
/** Of one whose moment has come. */
const DUE = -2

/** Any number of alarms on one timer of the clock, which never keeps the process alive. */
export class Alarms {
  readonly #clock: Clock
  /** Each before the two at twice its place. */
  readonly #heap: Alarm[] = []
  #cancel: (() => void) | undefined
  #armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets an alarm, or moves it. */
  set(alarm: Alarm, moment: number): void {
    if (alarm.slot >= 0) {
      if (alarm.rings === moment) return
      this.#remove(alarm)
    }
    alarm.rings = moment
    alarm.slot = this.#heap.length
    this.#heap.push(alarm)
    this.#rise(alarm)
    this.#arm()
  }

  clear(alarm: Alarm): void {
    if (alarm.slot >= 0) this.#remove(alarm)
    alarm.slot = UNSET
    if (this.#heap.length === 0) this.#disarm()
  }

  #arm(): void {
    const first = this.#heap[0]
    // A timer that is too early finds nothing due, and sets the next.
    if (first === undefined || (this.#cancel !== undefined && this.#armedFor <= first.rings)) return
    this.#disarm()
    this.#armedFor = first.rings
    // One that fires a fraction early would find nothing due.
    const delayMs = Math.max(0, Math.ceil(first.rings - this.#clock.monotonic()))
    this.#cancel = this.#clock.schedule(() => this.#ring(), delayMs)
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #ring(): void {
    this.#cancel = undefined
    const now = this.#clock.monotonic()
    const due: Alarm[] = []
    for (let first = this.#heap[0]; first !== undefined && first.rings <= now && due.length < AT_ONCE; first = this.#heap[0]) {
      this.#remove(first)
      first.slot = DUE
      due.push(first)
    }
    try {
      for (const alarm of due) {
        // One that was rung before may have cleared or moved it.
        if (alarm.slot !== DUE) continue
        alarm.slot = UNSET
        alarm.ring()
      }
    } finally {
      this.#arm()
    }
  }

  #remove(alarm: Alarm): void {
    const last = this.#heap.pop()
    if (last === undefined || last === alarm) return
    last.slot = alarm.slot
    this.#heap[last.slot] = last
    this.#rise(last)
    this.#sink(last)
  }

  #rise(alarm: Alarm): void {
    while (alarm.slot > 0) {
      const above = this.#heap[(alarm.slot - 1) >> 1]
      if (above === undefined || above.rings <= alarm.rings) return
      this.#swap(above, alarm)
    }
  }

  #sink(alarm: Alarm): void {
    for (;;) {
      const left = this.#heap[2 * alarm.slot + 1]
      const right = this.#heap[2 * alarm.slot + 2]
      const earlier = right !== undefined && left !== undefined && right.rings < left.rings ? right : left
      if (earlier === undefined || alarm.rings <= earlier.rings) return
      this.#swap(alarm, earlier)
    }
  }

  #swap(above: Alarm, below: Alarm): void {
    const { slot } = above
    above.slot = below.slot
    below.slot = slot
    this.#heap[above.slot] = above
    this.#heap[below.slot] = below
  }
}
