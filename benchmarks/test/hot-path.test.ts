import { expect, test } from 'vitest'
import { hotPath } from '../hot-path/index.ts'
import { Results } from '../hot-path/results.ts'
import { CACHES, OTHERS, OURS, type Subject } from '../hot-path/subjects.ts'
import type { Measured, Order } from '../hot-path/worker.ts'
import { inProcess } from '../measure/in-process.ts'
import { recorded } from '../report/records.ts'
import { holds } from '../report/report.ts'
import { testRecord } from './record.ts'

testRecord(
  hotPath,
  [/^peek\(\) to a bare lookup/, /^get\(\) to a bare async lookup/, /^get\(\) to keyv/, /^get\(\) to the official SDK/, /^bytes/],
  { isOld: true },
)

const NANOSECONDS: Readonly<Record<string, number>> = { 'tenantAccessToken(key)': 200, 'getOrSet(key)': 1_000, 'get(key)': 2_000 }
const BYTES: Readonly<Record<string, number>> = { lookup: 16, 'peek()': 16, 'get()': 16, 'get(), observed': 16 }

/** What comes of subjects that take as long and leave as much as they usually do, or as these say. */
function results({ only, nanoseconds = {}, bytes = {} }: { only: 'one' | 'many'; nanoseconds?: object; bytes?: object }): Results {
  const subjects = [...OURS, ...OTHERS].filter((subject) => subject.only === undefined || subject.only === only)
  const times: Readonly<Record<string, number>> = { ...NANOSECONDS, ...nanoseconds }
  const weights: Readonly<Record<string, number>> = { ...BYTES, ...bytes }
  const measured = ({ way, base, isOurs }: Subject): Measured => {
    const usual = isOurs || way === base ? 100 : 10_000
    return { name: 'a library', nanoseconds: [times[way] ?? usual], bytes: weights[way] ?? 64 }
  }
  return new Results(new Map(subjects.map((subject) => [subject, [measured(subject)]])))
}

function missed(all: Parameters<typeof results>[0]): string[] {
  const limits = results(all).limits(all.only === 'one' ? 1 : 10_000, false)
  return limits.filter((limit) => !holds(limit)).map(({ what }) => what)
}

test('what was recorded is measured again by its name', () => {
  const names = [
    ...results({ only: 'one' }).limits(1, false),
    ...results({ only: 'many' }).limits(10_000, false),
    ...results({ only: 'many' }).restedLimits(10_000),
  ].map(({ what }) => what)
  expect(names).toEqual(expect.arrayContaining(recorded('hot-path')?.limits.map(({ what }) => what) ?? []))
  expect(new Set(names).size).toBe(names.length)
})

test('a token asked for by key is held against each cache that is asked by key', () => {
  expect(missed({ only: 'many' })).toEqual([])
  const slow = { 'tenantAccessToken(key)': 350 }
  expect(missed({ only: 'many', nanoseconds: slow })).toEqual(
    CACHES.filter(({ way }) => way === 'getOrSet(key)').map(({ contender }) => `tenantAccessToken(key) to ${contender}, 10000 keys`),
  )
})

test('a handle is held against each cache, MSAL and both apps of the official SDK', () => {
  const others = ['keyv', 'bentocache', 'cacheable', 'msal-node', 'the official SDK, a store app']
  const toOthers = (only: 'one' | 'many', nanoseconds: object) =>
    missed({ only, nanoseconds }).filter((what) => /^get\(\) to (?!a bare)/.test(what))
  expect(toOthers('one', { 'get()': 2_000, 'get(), observed': 2_000 })).toEqual([
    ...others.map((other) => `get() to ${other}, one key`),
    'get() to the official SDK',
  ])
  expect(toOthers('many', { 'get()': 2_000 })).toEqual(others.map((other) => `get() to ${other}, 10000 keys`))
})

test('where keys rest ours is held against each cache that rests as long', () => {
  const missed = (nanoseconds: object) =>
    results({ only: 'many', nanoseconds: { 'tenantAccessToken(key)': 500, 'get()': 500, ...nanoseconds } })
      .restedLimits(10_000)
      .filter((limit) => !holds(limit))
      .map(({ what }) => what)
  expect(missed({})).toEqual([])
  expect(missed({ 'getOrSet(key)': 450 })).toEqual(['bentocache', 'cacheable'].map((other) => `get() to ${other}, 10000 keys that rest`))
  expect(missed({ 'get(key)': 390 })).toEqual(['get()', 'tenantAccessToken(key)'].map((way) => `${way} to keyv, 10000 keys that rest`))
  expect(CACHES.filter(({ rests }) => !rests)).toEqual([])
})

test('the medians, p99 and bytes of each round are kept', () => {
  const subject: Subject = { contender: 'bare', way: 'lookup', base: 'lookup' }
  const round = (nanoseconds: number): Measured => ({ name: 'a Map', nanoseconds: [10, nanoseconds, nanoseconds], bytes: 16 })
  expect(new Results(new Map([[subject, [round(20), round(80)]]])).figures('one key')).toEqual([
    { what: 'a Map: lookup, one key, median', unit: 'ns', each: [20, 80] },
    { what: 'a Map: lookup, one key, p99', unit: 'ns', each: [20, 80] },
    { what: 'a Map: lookup, one key', unit: 'bytes', each: [16, 16] },
  ])
})

test.each(['peek()', 'get()'])('a call of %s that leaves twice as much is noticed', (way) => {
  const base = way === 'peek()' ? 'lookup' : 'async lookup'
  expect(missed({ only: 'one', nanoseconds: { 'tenantAccessToken(key)': 100 } })).toEqual([])
  expect(missed({ only: 'one', nanoseconds: { 'tenantAccessToken(key)': 100 }, bytes: { [way]: 32 } })).toEqual([
    `bytes of ${way} to those of a bare ${base}, one key`,
  ])
})

test('p99 is that of a round, with the least and the greatest of the rounds', () => {
  const subject: Subject = { contender: 'bare', way: 'lookup', base: 'lookup' }
  const round = (nanoseconds: number): Measured => ({ name: 'a Map', nanoseconds: [10, nanoseconds, nanoseconds], bytes: 16 })
  const { columns, rows } = new Results(new Map([[subject, [round(20), round(80), round(30)]]])).table('')
  expect(rows[0]?.[columns.indexOf('p99 ns')]).toBe('30 (20 to 80)')
  expect(rows[0]?.[columns.indexOf('ns a call')]).toBe('30 (20 to 80)')
  expect(rows[0]?.[columns.indexOf('bytes a call')]).toBe('16')
})

const worker = (order: Pick<Order, 'contender' | 'way' | 'keys' | 'restMs'>) =>
  inProcess<Measured>(new URL('../hot-path/worker.ts', import.meta.url), { ...order, redisUrl: '' } satisfies Order, ['--expose-gc'])

test.each(OTHERS.filter(({ only, contender }) => only === 'many' || contender === 'node-sdk-store'))(
  '$contender has a token for each of some keys',
  async ({ contender, way }) => {
    const { nanoseconds, bytes } = await worker({ contender, way, keys: 60, restMs: 0 })
    expect(Math.min(...nanoseconds)).toBeGreaterThan(0)
    expect(bytes).toBeGreaterThan(0)
  },
)

test.each(['sync', 'async'])('a call that gives nothing is an error, not a figure: %s', async (way) => {
  const order = { contender: '../../test/contenders/nothing', way, restMs: 0 }
  await expect(worker({ ...order, keys: 2 })).rejects.toThrow('a call for key 1 gave nothing')
})

test('calls that leave much are weighed before anything is collected, whether keys rest or not', async () => {
  const keyv = { contender: 'keyv', way: 'get(key)', keys: 2_000 }
  const [busy, rested] = [await worker({ ...keyv, restMs: 0 }), await worker({ ...keyv, restMs: 10 })]
  expect(busy.bytes).toBeGreaterThan(3_000)
  expect(rested.bytes / busy.bytes).toBeGreaterThan(0.8)
  expect(rested.bytes / busy.bytes).toBeLessThan(1.25)
})
