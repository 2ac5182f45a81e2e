import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BENCHMARKS } from '../benchmarks.ts'
import { quantile, ratio } from '../measure/statistics.ts'
import { svg } from '../report/chart.ts'
import { figure } from '../report/figure.ts'
import { page } from '../report/markdown.ts'
import { recordedAll } from '../report/records.ts'
import type { Recorded } from '../report/report.ts'

test('a quantile lies between its neighbours', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
  expect(quantile([5], 0.99)).toBe(5)
  expect(quantile([1, 2, 3, 4, 5], 1)).toBe(5)
})

test('a ratio is of what was measured in the same round', () => {
  expect(ratio([2, 40, 6], [1, 10, 3])).toEqual({ median: 2, least: 2, greatest: 4 })
})

test('figures have three digits', () => {
  expect([12_345.6, 123.45, 1.2345, 0.012345, 0].map(figure)).toEqual(['12,346', '123', '1.23', '0.0123', '0'])
})

test('a page tells which limits are missed', () => {
  const machine = { processor: 'one', cores: 2, memoryGiB: 4, system: 'none', node: '24.0.0' }
  const limits = [
    { what: 'a to b', ratio: 1.2, most: 1.5 },
    { what: 'c to d', ratio: 1.6, most: 1.5 },
  ]
  const recorded: Recorded = {
    title: 'Part',
    how: 'So.',
    tables: [],
    charts: [],
    limits,
    machine,
    date: '2026-01-01',
    code: 'abc',
    rounds: 7,
  }
  const text = page(new Map([['part', recorded]]))
  expect(text).toContain('rounds: 7; 2026-01-01, abc, Node 24.0.0')
  expect(text).toContain('| a to b | 1.2 × | 1.5 × | holds |')
  expect(text).toContain('| c to d | 1.6 × | 1.5 × | MISSED |')
})

test('the page is what the records say, and so are its charts', () => {
  const written = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const all = recordedAll(BENCHMARKS.map(({ name }) => name))
  expect(written('BENCHMARKS.md')).toBe(page(all))
  for (const { charts } of all.values()) for (const chart of charts) expect(written(`benchmarks/${chart.name}.svg`)).toBe(svg(chart))
})

test('a chart names what it shows, whatever is in the names, and a longer bar is a greater value', () => {
  const bars = [10, 1_000].map((value) => ({ name: `<${value}>`, value, isOurs: false }))
  const drawn = svg({ name: 'x', title: 'A & B', unit: 'ns', bars })
  expect(drawn).toContain('A &amp; B')
  expect(drawn).toContain('&lt;1000>')
  const [short, long] = [...drawn.matchAll(/width="([\d.]+)" height="18"/g)].map(([, width]) => Number(width))
  expect(long).toBeGreaterThan(short as number)
})

test('a long name has room, and each power of ten has its line', () => {
  const drawn = (name: string) =>
    svg({
      name: 'x',
      title: 'A',
      unit: 'ns',
      bars: [
        { name, value: 1_500, isOurs: true },
        { name, value: 20, isOurs: false },
      ],
    })
  const widthOf = (text: string) => Number(/ width="(\d+)"/.exec(text)?.[1])
  expect(widthOf(drawn('n'.repeat(50))) - widthOf(drawn('n'.repeat(10)))).toBeGreaterThan(40 * 7)
  expect([...drawn('n').matchAll(/class="tick"[^>]*>([\d,]+)</g)].map(([, value]) => value)).toEqual(['10', '100', '1,000'])
})
