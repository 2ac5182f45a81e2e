import { expect, test } from 'vitest'
import type { Benchmark } from '../benchmark.ts'
import { gate } from '../gate.ts'
import type { Limit } from '../report/report.ts'

/** A benchmark of one ratio, measured as these in turn. */
function measuring(ratios: readonly number[], limit: Partial<Limit> = {}): { benchmark: Benchmark; attempts: () => number } {
  let attempts = 0
  const benchmark: Benchmark = {
    name: 'a benchmark',
    async measure({ ownOnly }) {
      expect(ownOnly).toBe(true)
      const ratio = ratios[attempts++] ?? Number.NaN
      return { title: '', how: '', tables: [], charts: [], limits: [{ what: 'one to another', most: 10, ...limit, ratio }] }
    },
  }
  return { benchmark, attempts: () => attempts }
}

async function pass(ratios: readonly number[], was: number | undefined, limit: Partial<Limit> = {}) {
  const { benchmark, attempts } = measuring(ratios, limit)
  const said: string[] = []
  const known = new Map(was === undefined ? [] : [['one to another', was]])
  const isHeld = await gate(
    [benchmark],
    (what) => said.push(what),
    () => known,
  )
  return { isHeld, attempts: attempts(), said }
}

test('what is as it was passes at the first attempt', async () => {
  expect(await pass([1.5], 1)).toEqual({ isHeld: true, attempts: 1, said: ['✓ a benchmark: one to another: 1.5 ×, recorded 1 ×'] })
})

test('what is much greater is measured again, and passes if that was noise', async () => {
  expect(await pass([3, 1.2], 1)).toMatchObject({ isHeld: true, attempts: 2 })
})

test('what is much greater each time does not pass', async () => {
  expect(await pass([3, 1.7, 2], 1)).toEqual({ isHeld: false, attempts: 3, said: ['✗ a benchmark: one to another: 1.7 ×, recorded 1 ×'] })
})

test('what was never recorded does not pass', async () => {
  expect(await pass([1, 1, 1], undefined)).toMatchObject({ isHeld: false })
})

test('what is too loose to be compared need only hold', async () => {
  expect(await pass([9], 1, { isLoose: true })).toMatchObject({ isHeld: true, attempts: 1 })
  expect(await pass([11, 12, 11], 1, { isLoose: true })).toMatchObject({ isHeld: false })
})

test('what is above the most that it may be does not pass, little as it is greater than it was', async () => {
  expect(await pass([10.9], 9)).toMatchObject({ isHeld: true, attempts: 1 })
  expect(await pass([11.1, 11.2, 11.1], 9)).toMatchObject({ isHeld: false })
})

test('a count that was greater once does not pass', async () => {
  expect(await pass([11, 10, 10], 10, { isExact: true })).toMatchObject({ isHeld: false, attempts: 1 })
  expect(await pass([10], 9, { isExact: true })).toMatchObject({ isHeld: true })
})

test('what is held against fixed milliseconds is left to the record', async () => {
  const limits: Limit[] = [
    { what: 'one to another', ratio: 1, most: 10 },
    { what: 'one to 50 ms', ratio: 11, most: 1, isOfTime: true },
  ]
  const benchmark: Benchmark = { name: 'a benchmark', measure: async () => ({ title: '', how: '', tables: [], charts: [], limits }) }
  const said: string[] = []
  expect(
    await gate(
      [benchmark],
      (what) => said.push(what),
      () => new Map([['one to another', 1]]),
    ),
  ).toBe(true)
  expect(said).toEqual(['✓ a benchmark: one to another: 1 ×, recorded 1 ×'])
})

test('a benchmark that measures nothing does not pass', async () => {
  const nothing: Benchmark = { name: 'a benchmark', measure: async () => ({ title: '', how: '', tables: [], charts: [], limits: [] }) }
  const known = () => new Map<string, number>()
  expect(await gate([nothing], () => {}, known)).toBe(false)
})
