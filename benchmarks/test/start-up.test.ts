import { expect, test } from 'vitest'
import { holds } from '../report/report.ts'
import { startUp } from '../start-up/index.ts'
import { importing, type Measured } from '../start-up/measured.ts'
import { Results } from '../start-up/results.ts'
import { BARE, CORE, FEISHU, FEISHU_FLEET, FLEET, NEEDS, type Subject } from '../start-up/subjects.ts'
import { testRecord } from './record.ts'

testRecord(startUp, [
  ...[CORE, FEISHU, FLEET, FEISHU_FLEET].flatMap(({ name }) => [
    new RegExp(`^imports, ${name} to (node's|these)`),
    new RegExp(`^heap to that of node, ${name}$`),
  ]),
  /^imports, core\/feishu, store-memory to the official node-sdk/,
  /^heap, core\/feishu, store-memory to the official node-sdk/,
])

test('a process that imports something is slower and larger than one that imports nothing', async () => {
  const [bare, loaded] = [await importing([]), await importing(['ioredis'])]
  expect(loaded.importProcessorMs).toBeGreaterThan(bare.importProcessorMs)
  expect(loaded.importMs).toBeGreaterThan(bare.importMs)
  expect(loaded.heapBytes).toBeGreaterThan(bare.heapBytes)
  expect(loaded.rssBytes).toBeGreaterThan(bare.rssBytes)
  expect(bare.startProcessorMs).toBeGreaterThan(0)
})

test('a module that cannot be imported is an error, not a figure', async () => {
  await expect(importing(['no-such-module'])).rejects.toThrow("Cannot find package 'no-such-module'")
})

test('imports are compared with those of what they need in the same round, and heap is what is beyond that of node', () => {
  const needs = [measured({ importProcessorMs: 50 }), measured({ importProcessorMs: 100 }), measured({ importProcessorMs: 200 })]
  const core = [measured({ importProcessorMs: 25 }), measured({ importProcessorMs: 50 }), measured({ importProcessorMs: 400 })]
  const [imports, heap] = new Results(rounds(needs, core), 5).ownLimits()
  expect(imports).toMatchObject({ what: `imports, core to ${NEEDS.get(CORE)?.name}`, ratio: 0.5, greatest: 2 })
  expect(heap).toMatchObject({ what: 'heap to that of node, core', ratio: 0 })
})

test('imports that take too long break their limit, and so does a heap that is too large', () => {
  const needs = [measured({ importProcessorMs: 50, heapBytes: 4e6 })]
  const own = (importProcessorMs: number, heapBytes: number) =>
    new Results(rounds(needs, [measured({ importProcessorMs, heapBytes })]), 5).ownLimits().slice(0, 2).map(holds)
  expect(own(60, 4.1e6)).toEqual([true, true])
  expect(own(500, 4.1e6)).toEqual([false, true])
  expect(own(60, 40e6)).toEqual([true, false])
})

test('every program of ours that needs something is held to it, and its heap to that of node', () => {
  const names = new Results(rounds([measured({})], [measured({})]), 5).ownLimits().map(({ what }) => what)
  expect(names).toEqual(
    Array.from(NEEDS, ([{ name }, needs]) => [`imports, ${name} to ${needs.name}`, `heap to that of node, ${name}`]).flat(),
  )
  const heavy = new Results(new Map([...rounds([measured({})], [measured({})]), [FEISHU_FLEET, [measured({ heapBytes: 13e6 })]]]), 5)
  expect(
    heavy
      .ownLimits()
      .filter((limit) => !holds(limit))
      .map(({ what }) => what),
  ).toEqual([`heap to that of node, ${FEISHU_FLEET.name}`])
})

test('what each turn took is kept', () => {
  const kept = new Results(rounds([measured({})], [measured({ importMs: 10 }), measured({ importMs: 20, heapBytes: 5e6 })]), 1).figures()
  const of = (name: string) => kept.find(({ what }) => what === `core, ${name}`)?.each
  expect(of('imports')).toEqual([10, 20])
  expect(of("heap, node's included")).toEqual([4e6, 5e6])
})

test('each figure is shown with the least and the greatest of its turns, and p99 with those of its rounds', () => {
  const needs = Array.from({ length: 4 }, () => measured({}))
  const core = [10, 20, 40, 30].map((importMs) => measured({ importMs, heapBytes: 4e6 + 2 ** 20 * (importMs / 10) }))
  const { columns, rows } = new Results(rounds(needs, core), 2).table()
  const told = rows.find(([name]) => name === CORE.name)
  expect(told).toHaveLength(columns.length)
  expect(told?.slice(2, 4)).toEqual(['25 (10 to 40)', '29.9 (19.9 to 39.9)'])
  expect(told?.[5]).toBe('2.5 (1 to 4)')
})

function measured(figures: Partial<Measured>): Measured {
  return { startProcessorMs: 50, importMs: 1, importProcessorMs: 1, heapBytes: 4e6, rssBytes: 4e7, ...figures }
}

function rounds(others: Measured[], core: Measured[]): ReadonlyMap<Subject, Measured[]> {
  const subjects = [BARE, ...NEEDS.keys(), ...NEEDS.values()]
  return new Map([...subjects.map((subject) => [subject, others] as const), [CORE, core]])
}
