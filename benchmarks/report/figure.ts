import { median, type Spread } from '../measure/statistics.ts'

/** Three figures are as many as a measurement is worth. */
export function figure(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 4) })
}

export function times(ratio: number): string {
  return `${figure(ratio)} ×`
}

/** The median of ratios, and between what they were. */
export function timesOf({ median, least, greatest }: Spread): string {
  return `${times(median)} (${figure(least)} to ${figure(greatest)})`
}

/** The median of the rounds, and between what they were where they differ. */
export function spreadOf(rounds: readonly number[]): string {
  const least = Math.min(...rounds)
  const greatest = Math.max(...rounds)
  return least === greatest ? figure(least) : `${figure(median(rounds))} (${figure(least)} to ${figure(greatest)})`
}
