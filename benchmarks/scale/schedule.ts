/** How the platform's two-hour tokens are renewed: see `feishuPolicy` of core. Minutes. */
export const LIFE_MINUTES = 120
export const WINDOW_MINUTES = 29
export const JITTER_MINUTES = 10

/** From when a token is fetched to when it may first be renewed, minutes. */
export const FRESH_MINUTES = LIFE_MINUTES - WINDOW_MINUTES
/** From when a token is fetched to when it is renewed, in the mean, minutes. */
export const CYCLE_MINUTES = FRESH_MINUTES + JITTER_MINUTES / 2

const MINUTE_MS = 60_000

/** A minute of a token's life while time is sped up so many times, milliseconds. */
export function minuteMs(speed: number): number {
  return MINUTE_MS / speed
}

/**
 * When a token is due, and when it ends, if it is taken to have been fetched so long ago that the window of its life begins at `from`, and time
 * passes `speed` times as fast from then on. One that was aged before keeps its place in the window.
 */
export function aged(
  { renewInMs, expiresInMs }: { readonly renewInMs: number; readonly expiresInMs: number },
  from: number,
  speed: number,
): { readonly dueAt: number; readonly endsAt: number } {
  const windowMs = WINDOW_MINUTES * MINUTE_MS
  const leftMs = expiresInMs - renewInMs
  const isAged = leftMs <= windowMs / speed
  const intoWindowMs = windowMs - leftMs * (isAged ? speed : 1)
  return { dueAt: from + Math.min(intoWindowMs, JITTER_MINUTES * MINUTE_MS) / speed, endsAt: from + windowMs / speed }
}
