import { JITTER_MINUTES, minuteMs, WINDOW_MINUTES } from './schedule.ts'

/** How renewals were spread. */
export interface Evenness {
  /** Renewals in the busiest minute. */
  readonly busiest: number
  /** By the mean of the minutes over which they are drawn. */
  readonly toDrawn: number
  /** By the mean of the minutes of the whole window, most of which have none. */
  readonly toWindow: number
}

/**
 * Renewals that are due in the busiest second, by the mean of the seconds over which they are drawn: of what was drawn, which no machine makes
 * uneven, and finer than a minute.
 * @param due milliseconds of the tokens' life since the window began
 */
export function dueInASecond(due: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const at of due) {
    const second = Math.floor(at / 1_000)
    counts.set(second, (counts.get(second) ?? 0) + 1)
  }
  return (Math.max(0, ...counts.values()) * JITTER_MINUTES * 60) / due.length
}

/** `moments`: of the renewals; the window begins at `from`, and time passes `speed` times as fast. */
export function evenness(moments: readonly number[], from: number, speed: number): Evenness {
  const counts = new Map<number, number>()
  for (const at of moments) {
    const minute = Math.floor((at - from) / minuteMs(speed))
    counts.set(minute, (counts.get(minute) ?? 0) + 1)
  }
  const busiest = Math.max(0, ...counts.values())
  return {
    busiest,
    toDrawn: (busiest * JITTER_MINUTES) / moments.length,
    toWindow: (busiest * WINDOW_MINUTES) / moments.length,
  }
}
