import type { Machine } from '../measure/machine.ts'
import type { Spread } from '../measure/statistics.ts'

/** What came of one benchmark. */
export interface Measurement {
  readonly tables: readonly Table[]
  readonly charts: readonly Chart[]
  readonly limits: readonly Limit[]
  /** What tables and limits are made from; absent where the record is older than this. */
  readonly figures?: readonly Figures[]
}

/** What was measured of one thing, round by round. */
export interface Figures {
  readonly what: string
  readonly unit: string
  readonly each: readonly number[]
}

/** That, with what was measured, how, when and where: kept as JSON, and shown in docs/BENCHMARKS.md. */
export interface Recorded extends Measurement {
  readonly title: string
  /** In a few sentences of Markdown. */
  readonly how: string
  readonly machine: Machine
  /** The day, ISO 8601. */
  readonly date: string
  /** The commit that was measured. */
  readonly code: string
  /** A hash of the programs that measured; absent where the record is older than this. */
  readonly programs?: string
  /** How often each contender was measured. */
  readonly rounds: number
}

export interface Table {
  readonly title: string
  /** The first is of names, the rest are figures. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Bars on a logarithmic scale. */
export interface Chart {
  /** Of its file. */
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly bars: readonly { readonly name: string; readonly value: number; readonly isOurs: boolean }[]
}

/** A ratio that must not be greater than this. */
export interface Limit {
  readonly what: string
  /** The median of the rounds', where each of them has one. */
  readonly ratio: number
  /** Of those of the rounds. */
  readonly greatest?: number
  readonly most: number
  /** Of the slowest among millions, or of memory that is far away: too different from run to run to be compared with what was recorded. */
  readonly isLoose?: true
  /** To fixed milliseconds: a record is of one machine, and others need not hold it. */
  readonly isOfTime?: true
  /** Of bytes or requests, not of times: no machine is so busy that it is greater for that, so it has less room. */
  readonly isAmount?: true
  /** A count: no machine is so busy that it may be greater, even once. */
  readonly isExact?: true
  /** How many times `most` another machine, or another moment of this one, may take it to, whatever was recorded; absent for the little that is common. */
  readonly room?: number
}

export function limit(what: string, { median, greatest }: Spread, most: number): Limit {
  return { what, ratio: median, greatest, most }
}

/** What is no number does not: JSON turns it into `null`, which JavaScript takes for 0. */
export function holds({ ratio, most }: Limit): boolean {
  return Number.isFinite(ratio) && ratio <= most
}
