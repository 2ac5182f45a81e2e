/** Tokens whose renewals come one after the other, each in its turn. */
export const KEYS = 4
/** What the upstream takes. */
export const FETCH_MS = 2_000
/** From the beginning of one renewal to that of the next, but for the few tenths of a second over which a fleet spreads each. */
export const SPACING_MS = 2_500
/** A renewal begins so long before the end of a token. Most of it is left when the next one has come. */
export const WINDOW_MS = 5_500
/**
 * Life of a token from when it was asked for. When it has come it must have 15 s, or the product does not share it; the rest is for an
 * upstream that is slower than it should be.
 */
const LIFE_MS = 17_500
/** As long as nothing is renewed while it is measured. */
export const LONG_LIFE_MS = 7_200_000
/** Measuring begins so long before the first renewal. */
const LEAD_MS = 500

/** The life of a token of the key with this number. The first tokens live longer the later their turn is. */
export function lifeMs(index: number, isFirst: boolean, isStill: boolean): number {
  if (isStill) return LONG_LIFE_MS
  return isFirst ? LIFE_MS + index * SPACING_MS : LIFE_MS
}

/**
 * From when a token has come to its renewal. The fetch is taken off twice: a fleet counts the life that its holder knows to be left from
 * the grant of the lease.
 */
export function freshMs(ofLifeMs: number): number {
  return ofLifeMs - 2 * FETCH_MS - WINDOW_MS
}

/** From when the first tokens have come to when measuring begins. Until then everything is loaded and compiled. */
export const SETTLING_MS = freshMs(LIFE_MS) - LEAD_MS

/** How long is measured: no less than so many renewals take from beginning to end, however they are spread. */
export function durationMs(rotations: number): number {
  return LEAD_MS + rotations * SPACING_MS + FETCH_MS
}
