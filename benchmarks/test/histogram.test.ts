import { expect, test } from 'vitest'
import { countedQuantile, Histogram, howMany, together } from '../measure/histogram.ts'

function counted(durations: readonly number[]) {
  const histogram = new Histogram()
  for (const duration of durations) histogram.record(duration)
  return histogram.counted
}

test('a quantile is known to 3 %, and the greatest exactly', () => {
  const upTo1000 = counted(Array.from({ length: 1_000 }, (_, index) => (index + 1) * 1_000))
  for (const share of [0.5, 0.99, 0.999]) {
    const exact = 1_000_000 * share
    expect(countedQuantile(upTo1000, share)).toBeGreaterThanOrEqual(exact)
    expect(countedQuantile(upTo1000, share)).toBeLessThan(exact * 1.03)
  }
  expect(countedQuantile(upTo1000, 1)).toBe(1_000_000)
})

test('one slow call among a thousand is beyond p99.9 and is the greatest', () => {
  const mostlyFast = counted([...Array.from({ length: 999 }, () => 100), 2_000_000_000])
  expect(countedQuantile(mostlyFast, 0.999)).toBeLessThan(103)
  expect(countedQuantile(mostlyFast, 1)).toBe(2_000_000_000)
})

test('what several processes counted is added up', () => {
  const both = together([counted([100, 100, 100]), counted([9_000])])
  expect(howMany(both)).toBe(4)
  expect(countedQuantile(both, 0.75)).toBeLessThan(103)
  expect(both.greatest).toBe(9_000)
})

test('what has a weight counts as often', () => {
  const histogram = new Histogram()
  histogram.record(100, 989)
  histogram.record(9_000, 11)
  expect(howMany(histogram.counted)).toBe(1_000)
  expect(countedQuantile(histogram.counted, 0.98)).toBeLessThan(103)
  expect(countedQuantile(histogram.counted, 0.99)).toBe(9_000)
})

test('what is too short to measure, and what is longer than anything, is counted', () => {
  const strange = counted([0, 0.5, 1e15])
  expect(howMany(strange)).toBe(3)
  expect(countedQuantile(strange, 1)).toBe(1e15)
})
