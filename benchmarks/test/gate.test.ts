import { expect, test } from 'vitest'
import type { Benchmark } from '../benchmark.ts'
import { gate } from '../gate.ts'
import { record, recorded } from '../report/records.ts'
import { holds, type Limit } from '../report/report.ts'

const NAMED = { name: 'a benchmark', title: 'Many', how: 'So.', programs: [] }

/** A benchmark of one ratio, measured as these in turn. */
function measuring(ratios: readonly number[], limit: Partial<Limit> = {}): { benchmark: Benchmark; attempts: () => number } {
  let attempts = 0
  const benchmark: Benchmark = {
    ...NAMED,
    async measure({ ownOnly }) {
      expect(ownOnly).toBe(true)
      const ratio = ratios[attempts++]
      if (ratio === undefined) throw new Error('it is measured more often than it should be')
      return { tables: [], charts: [], limits: [{ what: 'one to another', most: 10, ...limit, ratio }] }
    },
  }
  return { benchmark, attempts: () => attempts }
}

async function pass(ratios: readonly number[], was: number | undefined, limit: Partial<Limit> = {}) {
  const { benchmark, attempts } = measuring(ratios, limit)
  const said: string[] = []
  const known: Limit[] = was === undefined ? [] : [{ what: 'one to another', most: 10, ...limit, ratio: was }]
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
  expect(await pass([12.9], 9, { room: 1.3 })).toMatchObject({ isHeld: true, attempts: 1 })
  expect(await pass([13.1, 13.2, 13.1], 9, { room: 1.3 })).toMatchObject({ isHeld: false })
  expect(await pass([12.9], 1, { room: 1.3 })).toMatchObject({ isHeld: true, attempts: 1 })
})

test('what is no time has less room, and none above its most', async () => {
  expect(await pass([1.09], 1, { isAmount: true })).toMatchObject({ isHeld: true, attempts: 1 })
  expect(await pass([1.11, 1.2, 1.11], 1, { isAmount: true })).toMatchObject({ isHeld: false })
  expect(await pass([9.9], 9.5, { isAmount: true })).toMatchObject({ isHeld: true, attempts: 1 })
  expect(await pass([10.1, 10.1, 10.1], 9.5, { isAmount: true })).toMatchObject({ isHeld: false })
})

test('a count that was greater once does not pass', async () => {
  expect(await pass([11, 10, 10], 10, { isExact: true })).toMatchObject({ isHeld: false, attempts: 1 })
  expect(await pass([10], 9, { isExact: true })).toMatchObject({ isHeld: true })
})

test.each<[string, Partial<Limit>]>([
  ['a ratio', {}],
  ['a loose one', { isLoose: true }],
  ['a count', { isExact: true }],
])('%s that is no number does not pass, and is not measured again', async (_, limit) => {
  const said = ['✗ a benchmark: one to another: nothing, recorded 1 ×']
  expect(await pass([Number.NaN], 1, limit)).toEqual({ isHeld: false, attempts: 1, said })
})

test('what is no number in a later attempt does not pass either', async () => {
  expect(await pass([3, Number.NaN], 1)).toMatchObject({ isHeld: false, attempts: 2 })
})

test('what was recorded as no number does not pass', async () => {
  // As JSON has it.
  const { ratio } = JSON.parse(JSON.stringify({ ratio: Number.NaN }))
  expect(await pass([1, 1, 1], ratio)).toMatchObject({ isHeld: false })
  expect(holds({ what: 'one to another', ratio, most: 10 })).toBe(false)
  expect(holds({ what: 'one to another', ratio: Number.NaN, most: 10 })).toBe(false)
})

/** A pass of a benchmark that measures some limits and has recorded some. */
async function passOf(limits: readonly Limit[], known: readonly Limit[], atFirst = limits) {
  const attempts = [atFirst]
  const benchmark: Benchmark = {
    ...NAMED,
    measure: async () => ({ tables: [], charts: [], limits: attempts.shift() ?? limits }),
  }
  const said: string[] = []
  const isHeld = await gate(
    [benchmark],
    (what) => said.push(what),
    () => known,
  )
  return { isHeld, said }
}

test('what is held against fixed milliseconds is left to the record', async () => {
  const limits: Limit[] = [
    { what: 'one to another', ratio: 1, most: 10 },
    { what: 'one to 50 ms', ratio: 11, most: 1, isOfTime: true },
  ]
  expect(await passOf(limits, limits)).toEqual({ isHeld: true, said: ['✓ a benchmark: one to another: 1 ×, recorded 1 ×'] })
})

test('what was no number in an earlier attempt does not pass, though another ratio is measured again', async () => {
  const pair = (first: number, second: number): Limit[] => [
    { what: 'one to another', ratio: first, most: 10 },
    { what: 'one to a third', ratio: second, most: 10 },
  ]
  expect(await passOf(pair(1, 1), pair(1, 1), pair(Number.NaN, 3))).toEqual({
    isHeld: false,
    said: ['✗ a benchmark: one to another: nothing, recorded 1 ×', '✓ a benchmark: one to a third: 1 ×, recorded 1 ×'],
  })
})

test('what was recorded and is not measured any more does not pass', async () => {
  const limits: Limit[] = [{ what: 'one to another', ratio: 1, most: 10 }]
  const gone: Limit = { what: 'one to a third', ratio: 2, most: 10 }
  expect(await passOf(limits, [...limits, gone])).toEqual({
    isHeld: false,
    said: ['✓ a benchmark: one to another: 1 ×, recorded 1 ×', '✗ a benchmark: one to a third: nothing, recorded 2 ×'],
  })
})

test('what only a whole run measures need not be measured again', async () => {
  const limits: Limit[] = [{ what: 'requests to renewals, 100000 tenants, processes: 1', ratio: 1, most: 10 }]
  const ofWholeRuns = [
    'get() to keyv, one key',
    'get() to the official SDK',
    'get() to the official SDK, a store app, one key',
    'get() to msal-node, one key',
    'imports, core to bentocache 1.6, its drivers',
    'requests to renewals, 100000 tenants, processes: 8',
    'memory of a token to 1 KB, 100000 tenants of PostgreSQL',
    'get() to a bare async lookup, 10000 keys that rest',
  ].map((what) => ({ what, ratio: 1, most: 10 }))
  expect(await passOf(limits, [...limits, ...ofWholeRuns])).toMatchObject({ isHeld: true })
  expect(await passOf(ofWholeRuns, [...limits, ...ofWholeRuns])).toMatchObject({ isHeld: false })
})

test('a benchmark that measures nothing does not pass', async () => {
  expect(await passOf([], [])).toEqual({ isHeld: false, said: ['✗ a benchmark: nothing was measured'] })
})

test('a ratio or a figure that is no number is not recorded', () => {
  const machine = { processor: '', cores: 1, memoryGiB: 1, system: '', node: '' }
  const limits: Limit[] = [{ what: 'one to another', ratio: Number.NaN, most: 10 }]
  const report = { title: '', how: '', tables: [], charts: [], limits, machine, date: '', code: '', rounds: 1 }
  expect(() => record('no-benchmark', report, [])).toThrow('no-benchmark: one to another: NaN is no ratio to record')
  const figures = [{ what: 'one', unit: 'ms', each: [1, Number.NaN] }]
  expect(() => record('no-benchmark', { ...report, limits: [], figures }, [])).toThrow('no-benchmark: one: 1, NaN is nothing to record')
  expect(recorded('no-benchmark')).toBeUndefined()
})
