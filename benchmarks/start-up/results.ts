import { median, quantile, ratio, type Spread } from '../measure/statistics.ts'
import { spreadOf, timesOf } from '../report/figure.ts'
import { type Chart, type Figures, type Limit, limit, type Table } from '../report/report.ts'
import type { Measured } from './measured.ts'
import { BARE, CACHES, CORE, FEISHU, FEISHU_FLEET, FLEET, NEEDS, OTHERS, SDK, type Subject } from './subjects.ts'

const OURS = [CORE, FEISHU, FLEET, FEISHU_FLEET]
/** Most that the imports may take, by what the imports of what they need take; and most that their heap may, by that of node. */
const MOST = new Map([
  [CORE, { imports: 1.8, heap: 0.35 }],
  [FEISHU, { imports: 1.6, heap: 1.8 }],
  [FLEET, { imports: 1.4, heap: 0.8 }],
  [FEISHU_FLEET, { imports: 1.4, heap: 2.1 }],
])
const KEPT = [
  { of: 'startProcessorMs', what: "the start of node, a processor's", unit: 'ms' },
  { of: 'importMs', what: 'imports', unit: 'ms' },
  { of: 'importProcessorMs', what: "imports, a processor's", unit: 'ms' },
  { of: 'heapBytes', what: "heap, node's included", unit: 'bytes' },
  { of: 'rssBytes', what: "RSS, node's included", unit: 'bytes' },
] as const
const MEBIBYTE = 2 ** 20

/** What came of some turns. */
export class Results {
  readonly #measured: ReadonlyMap<Subject, readonly Measured[]>
  readonly #turns: number

  /** @param turns of each round */
  constructor(measured: ReadonlyMap<Subject, readonly Measured[]>, turns: number) {
    this.#measured = measured
    this.#turns = turns
  }

  table(): Table {
    const columns = ['', 'imports to the start of node', 'ms', 'p99 ms', 'heap to that of node', 'MiB of heap', 'MiB of RSS']
    const subjects = [...this.#measured.keys()].filter((subject) => subject !== BARE)
    const rows = subjects.map((subject) => {
      const mebibytes = (what: 'heapBytes' | 'rssBytes') => this.#beyond(subject, what).map((bytes) => bytes / MEBIBYTE)
      return [
        subject.name,
        timesOf(this.#imports(subject)),
        spreadOf(this.#each(subject, 'importMs')),
        spreadOf(this.#p99OfRounds(subject)),
        timesOf(this.#heap(subject)),
        spreadOf(mebibytes('heapBytes')),
        spreadOf(mebibytes('rssBytes')),
      ]
    })
    return { title: '', columns, rows }
  }

  /** What the table and the limits are made from, of each turn. */
  figures(): Figures[] {
    return [...this.#measured.keys()].flatMap((subject) =>
      KEPT.map(({ of, what, unit }) => ({ what: `${subject.name}, ${what}`, unit, each: this.#each(subject, of) })),
    )
  }

  chart(): Chart {
    const bars = [...OURS, ...OTHERS].map((subject) => ({
      name: subject.name,
      value: median(this.#each(subject, 'importMs')),
      isOurs: OURS.includes(subject),
    }))
    return { name: 'start-up', title: 'Imports', unit: 'ms', bars: bars.sort((a, b) => a.value - b.value) }
  }

  /** Of our own imports: by what they bring in that is not ours, and of their heap by that of node. */
  ownLimits(): Limit[] {
    return Array.from(MOST, ([subject, most]) => {
      const needs = NEEDS.get(subject) ?? BARE
      const imports = ratio(this.#each(subject, 'importProcessorMs'), this.#each(needs, 'importProcessorMs'))
      return [
        limit(`imports, ${subject.name} to ${needs.name}`, imports, most.imports),
        { ...limit(`heap to that of node, ${subject.name}`, this.#heap(subject), most.heap), isAmount: true as const },
      ]
    }).flat()
  }

  /** With what a user would pick instead. */
  comparisons(): Limit[] {
    const time = (subject: Subject) => this.#each(subject, 'importProcessorMs')
    const heap = (subject: Subject) => this.#beyond(subject, 'heapBytes')
    return [
      limit(`imports, ${FEISHU.name} to ${SDK.name}`, ratio(time(FEISHU), time(SDK)), 0.75),
      { ...limit(`heap, ${FEISHU.name} to ${SDK.name}`, ratio(heap(FEISHU), heap(SDK)), 1), isAmount: true },
      ...CACHES.map((cache) => limit(`imports, ${FLEET.name} to ${cache.name}`, ratio(time(FLEET), time(cache)), 1)),
    ]
  }

  #imports(subject: Subject): Spread {
    return ratio(this.#each(subject, 'importProcessorMs'), this.#each(BARE, 'startProcessorMs'))
  }

  #heap(subject: Subject): Spread {
    return ratio(this.#beyond(subject, 'heapBytes'), this.#each(BARE, 'heapBytes'))
  }

  /** Of the turns of each round, milliseconds. */
  #p99OfRounds(subject: Subject): number[] {
    const importMs = this.#each(subject, 'importMs')
    const rounds = Array.from({ length: Math.ceil(importMs.length / this.#turns) }, (_, round) => round * this.#turns)
    return rounds.map((first) => quantile(importMs.slice(first, first + this.#turns), 0.99))
  }

  /** Beyond the process that imports nothing, of each turn. */
  #beyond(subject: Subject, what: 'heapBytes' | 'rssBytes'): number[] {
    const bare = this.#each(BARE, what)
    return this.#each(subject, what).map((bytes, turn) => bytes - (bare[turn] ?? Number.NaN))
  }

  /** Of each turn. */
  #each(subject: Subject, what: keyof Measured): number[] {
    return (this.#measured.get(subject) ?? []).map((measured) => measured[what])
  }
}
