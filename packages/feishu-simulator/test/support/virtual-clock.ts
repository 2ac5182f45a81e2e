import type { SimulatorClock } from '@tokenwell/feishu-simulator'

/** A clock that moves only when told to. Not the testkit's, which stands on core, whose tests stand on this package. */
export interface VirtualClock extends SimulatorClock {
  /** Moves time on by `ms`, running what falls due on the way, in order. */
  advance(ms: number): void
  /** Sets the time, back too; timers stay where they are. */
  set(wallMs: number): void
  /** How many timers wait. */
  readonly pending: number
}

export function virtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let nowMs = startMs
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>()
  return {
    wall: () => nowMs,
    schedule(run, delayMs) {
      const timer = { atMs: nowMs + delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const due = [...timers].filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
        if (!due) break
        timers.delete(due)
        nowMs = Math.max(nowMs, due.atMs)
        due.run()
      }
      nowMs = untilMs
    },
    set(wallMs) {
      nowMs = wallMs
    },
    get pending() {
      return timers.size
    },
  }
}
