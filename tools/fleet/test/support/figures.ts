/** Prints what was measured: for people, a test does not depend on it. Milliseconds. */
export function figure(stage: string, what: string, figures: Readonly<Record<string, number>>): void {
  const text = Object.entries(figures).map(([name, value]) => `${name}: ${Number.isInteger(value) ? value : value.toFixed(1)}`)
  console.info(`[${stage}] ${what}: ${text.join(' · ')}`)
}

/** A distribution of durations, in order of length. */
export function spread(sorted: readonly number[]): Record<string, number> {
  const at = (share: number) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN
  return { samples: sorted.length, 'p50, ms': at(0.5), 'p90, ms': at(0.9), 'p99, ms': at(0.99), 'longest, ms': at(1) }
}
