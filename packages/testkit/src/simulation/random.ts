/** A stream of draws that depends on its seed alone. */
export interface Draws {
  /** A draw from [0, 1). */
  fraction(): number
  /** A draw from [min, max). */
  between(min: number, max: number): number
  /** A whole number from [min, max], both included. */
  whole(min: number, max: number): number
  /** As likely to be short as long: a draw from [min, max) whose logarithm is evenly spread. Both above 0. */
  spread(min: number, max: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

/**
 * Streams of one seed. Each name has a stream of its own, so that what one part of a world draws, or no longer draws, leaves the others as
 * they are.
 */
export function drawsOf(seed: number, name: string): Draws {
  const fraction = mulberry32(hash(`${seed}/${name}`))
  const between = (min: number, max: number) => min + fraction() * (max - min)
  return {
    fraction,
    between,
    whole: (min, max) => Math.floor(between(min, max + 1)),
    spread: (min, max) => Math.exp(between(Math.log(min), Math.log(max))),
    chance: (probability) => fraction() < probability,
    pick(from) {
      if (from.length === 0) throw new RangeError('there is nothing to pick from')
      return from[Math.floor(fraction() * from.length)] as (typeof from)[number] // Within its length.
    },
  }
}

/** FNV-1a with 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  return state >>> 0
}

/** Mulberry32 by Tommy Ettinger, in the public domain: small, fast, and good enough to shuffle a world. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
