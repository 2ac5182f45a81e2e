/** Buckets for each doubling: a duration is known to 2 %. */
const PER_DOUBLING = 32
/** Up to an hour of nanoseconds. */
const BUCKETS = 42 * PER_DOUBLING

/** How many durations there were of which size. Plain data, so that it can be sent to another process. */
export interface Counted {
  /** By bucket. */
  readonly counts: readonly number[]
  /** Nanoseconds, exact. */
  readonly greatest: number
}

/** Counts durations by their size, millions of them. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS)
  #greatest = 0

  /** @param weight as if there were so many of it */
  record(nanoseconds: number, weight = 1): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(Math.log2(nanoseconds) * PER_DOUBLING)))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + weight
    if (nanoseconds > this.#greatest) this.#greatest = nanoseconds
  }

  get counted(): Counted {
    return { counts: [...this.#counts], greatest: this.#greatest }
  }
}

export function together(all: readonly Counted[]): Counted {
  const counts = Array.from({ length: BUCKETS }, (_, bucket) => all.reduce((sum, each) => sum + (each.counts[bucket] ?? 0), 0))
  return { counts, greatest: Math.max(...all.map(({ greatest }) => greatest)) }
}

export function howMany({ counts }: Counted): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** A duration that this share of all does not exceed, nanoseconds: the upper end of a bucket; of all, the greatest. */
export function countedQuantile(counted: Counted, share: number): number {
  if (share === 1) return counted.greatest
  const place = howMany(counted) * share
  let below = 0
  for (const [bucket, count] of counted.counts.entries()) {
    below += count
    if (below >= place && count > 0) return Math.min(counted.greatest, 2 ** ((bucket + 1) / PER_DOUBLING))
  }
  return counted.greatest
}
