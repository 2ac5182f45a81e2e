import { expect, test } from 'vitest'
import { firstSeed, WORLDS } from '../night.mjs'

const at = (moment: string) => firstSeed([], new Date(moment))

test('a night plays the worlds of its day, whenever it begins', () => {
  expect(at('2026-12-01T01:17:00Z')).toBe(33_500_001)
  expect(at('2026-12-01T23:59:59.999Z')).toBe(33_500_001)
})

test('the worlds of the next night begin where those of this one end', () => {
  expect(at('2026-12-02T00:00:00Z') - at('2026-12-01T23:59:59.999Z')).toBe(WORLDS)
})

test('no night plays the worlds of a change', () => {
  expect(at('2026-01-01T00:00:00Z')).toBe(100_001)
})

test('seeds stay within what the simulation takes for longer than anybody plans', () => {
  expect(at('2050-01-01T00:00:00Z') + WORLDS).toBeLessThan(1_000_000_000)
})

test('the worlds of another night are played when its first seed is given', () => {
  expect(firstSeed(['--first', '33500001'], new Date())).toBe(33_500_001)
})

test.each([['0'], ['-1'], ['1e6'], ['1.5'], [''], ['1234567890']])('a first seed of %j is refused', (first) => {
  expect(() => firstSeed([`--first=${first}`], new Date())).toThrow('--first takes a whole number')
})

test('what a night does not know is refused', () => {
  expect(() => firstSeed(['--seeds', '5'], new Date())).toThrow('--seeds')
})
