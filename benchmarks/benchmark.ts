import type { Measurement } from './report/report.ts'

/** One question that is answered by measuring. */
export interface Benchmark {
  /** What it is called on the command line, and the name of its files under docs/benchmarks. */
  readonly name: string
  readonly title: string
  /** What is measured and how, in a few sentences of Markdown. */
  readonly how: string
  /** The modules that measure, and start what does: see `programsHash`. What it is compared with and held to may be elsewhere. */
  readonly programs: readonly URL[]
  /** Measured once, however many rounds are wanted. */
  readonly isOnce?: true
  measure(setting: Setting): Promise<Measurement>
}

export interface Setting {
  /** How often each contender is measured, in turn with the others. */
  readonly rounds: number
  /** Only what the limits are about: no other library. */
  readonly ownOnly: boolean
  /** A line on what is being measured now. */
  readonly progress: (what: string) => void
}
