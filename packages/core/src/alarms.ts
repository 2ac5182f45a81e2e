import { type Clock, delayUntil } from './clock.ts'

/** What is rung without a pause: whatever else the process does is to get its turn between two such heaps. */
const AT_ONCE = 100

/** Something that is to happen at some moment. Where it stands among others is kept in itself: it may be one of a hundred thousand. */
export interface Alarm {
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
  /** Of the alarm at the same place, by the monotonic clock. Numbers by themselves take a third of the room. */
  readonly #moments: number[] = []
  #cancel: (() => void) | undefined
  #armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets an alarm, or moves it. */
  set(alarm: Alarm, moment: number): void {
    if (alarm.slot >= 0) {
      if (this.#momentAt(alarm.slot) === moment) return
      this.#remove(alarm)
    }
    const slot = this.#heap.length
    this.#place(alarm, moment, slot)
    this.#rise(slot)
    this.#arm()
  }

  clear(alarm: Alarm): void {
    if (alarm.slot >= 0) this.#remove(alarm)
    alarm.slot = UNSET
    if (this.#heap.length === 0) this.#disarm()
  }

  #arm(): void {
    const first = this.#momentAt(0)
    // A timer that is too early finds nothing due, and sets the next.
    if (this.#heap.length === 0 || (this.#cancel !== undefined && this.#armedFor <= first)) return
    this.#disarm()
    this.#armedFor = first
    this.#cancel = this.#clock.schedule(() => this.#ring(), delayUntil(first, this.#clock))
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #ring(): void {
    this.#cancel = undefined
    const now = this.#clock.monotonic()
    const due: Alarm[] = []
    for (let first = this.#heap[0]; first !== undefined && this.#momentAt(0) <= now && due.length < AT_ONCE; first = this.#heap[0]) {
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
      // Left over only where one of them has thrown.
      for (const alarm of due) if (alarm.slot === DUE) this.set(alarm, now)
      this.#arm()
    }
  }

  /** Past the end of the heap: never. */
  #momentAt(slot: number): number {
    return this.#moments[slot] ?? Number.POSITIVE_INFINITY
  }

  #place(alarm: Alarm, moment: number, slot: number): void {
    alarm.slot = slot
    this.#heap[slot] = alarm
    this.#moments[slot] = moment
  }

  #remove(alarm: Alarm): void {
    const { slot } = alarm
    const last = this.#heap.pop()
    const moment = this.#moments.pop()
    if (last === undefined || moment === undefined || last === alarm) return
    this.#place(last, moment, slot)
    this.#rise(slot)
    this.#sink(last.slot)
  }

  #rise(from: number): void {
    for (let slot = from; slot > 0; ) {
      const above = (slot - 1) >> 1
      if (this.#momentAt(above) <= this.#momentAt(slot)) return
      this.#swap(above, slot)
      slot = above
    }
  }

  #sink(from: number): void {
    for (let slot = from; ; ) {
      const left = 2 * slot + 1
      const earlier = this.#momentAt(left + 1) < this.#momentAt(left) ? left + 1 : left
      if (this.#momentAt(slot) <= this.#momentAt(earlier)) return
      this.#swap(slot, earlier)
      slot = earlier
    }
  }

  #swap(one: number, other: number): void {
    const alarm = this.#heap[one]
    const moment = this.#momentAt(one)
    const instead = this.#heap[other]
    if (alarm === undefined || instead === undefined) return
    this.#place(instead, this.#momentAt(other), one)
    this.#place(alarm, moment, other)
  }
}
