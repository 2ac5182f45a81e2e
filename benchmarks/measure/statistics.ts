/** The value below which this share of the samples lies; 0.5 is the median. Samples in any order, at least one. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** The median, and the least and the greatest. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly greatest: number
}

function spread(samples: readonly number[]): Spread {
  return { median: median(samples), least: Math.min(...samples), greatest: Math.max(...samples) }
}

/** Of what was measured in the same rounds: the machine's moods are in both. */
export function ratio(samples: readonly number[], base: readonly number[]): Spread {
  return spread(samples.map((sample, round) => sample / (base[round] ?? Number.NaN)))
}
