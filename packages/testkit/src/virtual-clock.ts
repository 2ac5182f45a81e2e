import { setImmediate } from 'node:timers'
import type { Clock } from '@tokenwell/core'

/** Node's own, taken while it is: fake timers of a test runner, which may come later, must not hold the event loop up. */
const nextTurn = setImmediate

/** A clock that moves only when told to. */
export interface VirtualClock extends Clock {
  /**
   * Moves both clocks on by `ms` (≥ 0). Timers that fall due on the way run in the order in which they are due, those due at the same
   * time in the order in which they were scheduled, each with the clocks standing at its own time. Before the first, between any two
   * and after the last, promises are left to settle, and what they schedule is part of the same advance. Calls that overlap run one
   * after the other. Rejects with what a timer throws.
   *
   * "Settle" is one turn of the event loop (`setImmediate`): chains of promises end in it, however long they are; real I/O does not.
   */
  advance(ms: number): Promise<void>
  /** Sets the wall clock forward, or back with a negative `ms`. Timers do not notice. */
  stepWall(ms: number): void
  /** The machine sleeps for `ms` (≥ 0): the wall clock goes on, the monotonic clock and all timers stand still. */
  suspend(ms: number): void
  /** How many timers are armed. */
  readonly pending: number
  /** Milliseconds until the next timer is due; undefined when none is armed. */
  readonly nextInMs: number | undefined
}

export interface VirtualClockOptions {
  /** Where the wall clock starts, milliseconds since the Unix epoch. Default: the start of 2026, UTC. */
  readonly wallMs?: number
}

interface ArmedTimer {
  readonly dueAt: number
  readonly run: () => void
}

export function virtualClock({ wallMs = Date.UTC(2026, 0, 1) }: VirtualClockOptions = {}): VirtualClock {
  const timers = new Set<ArmedTimer>()
  let wall = wallMs
  let monotonic = 0
  let lastAdvance = Promise.resolve()

  /** The timer due first. A set keeps the order of insertion, so the first of equals is the one scheduled first. */
  function next(): ArmedTimer | undefined {
    let first: ArmedTimer | undefined
    for (const timer of timers) if (first === undefined || timer.dueAt < first.dueAt) first = timer
    return first
  }

  function moveTo(moment: number): void {
    wall += moment - monotonic
    monotonic = moment
  }

  async function runUntil(end: number): Promise<void> {
    for (;;) {
      await settled()
      const timer = next()
      if (timer === undefined || timer.dueAt > end) return moveTo(end)
      timers.delete(timer)
      moveTo(timer.dueAt)
      timer.run()
    }
  }

  return {
    wall: () => wall,
    monotonic: () => monotonic,
    schedule(run, delayMs) {
      const timer = { dueAt: monotonic + durationOf('schedule', delayMs), run }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    advance(ms) {
      durationOf('advance', ms)
      const advance = lastAdvance.then(() => runUntil(monotonic + ms))
      lastAdvance = advance.catch(() => {})
      return advance
    },
    stepWall(ms) {
      wall += ms
    },
    suspend(ms) {
      wall += durationOf('suspend', ms)
    },
    get pending() {
      return timers.size
    },
    get nextInMs() {
      const timer = next()
      return timer && timer.dueAt - monotonic
    },
  }
}

/** One turn of the event loop: every promise that can settle without I/O has settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve)
  })
}

function durationOf(method: string, ms: number): number {
  if (!(ms >= 0)) throw new TypeError(`virtualClock.${method}: takes milliseconds of at least 0, got ${ms}`)
  return ms
}
