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
