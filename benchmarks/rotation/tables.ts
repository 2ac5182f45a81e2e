import { howMany } from '../measure/histogram.ts'
import { ratio } from '../measure/statistics.ts'
import { figure, spreadOf, timesOf } from '../report/figure.ts'
import type { Table } from '../report/report.ts'
import { noticedMs, noticedOnceMs, type Own } from './limits.ts'
import { type Measure, microseconds, QUANTILES, stillMicroseconds } from './quantiles.ts'
import type { Run } from './run.ts'

/** The rounds of each library, by its name. */
export type Named = ReadonlyMap<string, readonly Run[]>

const MEASURES: Readonly<Record<Measure, string>> = {
  latencies: 'From the call to what comes of it',
  waits: 'From the moment at which a caller was due',
}

/** @param renewing those whose tokens are renewed */
export function ratios(measure: Measure, { still, again }: Own, renewing: Named): Table {
  const control = QUANTILES.map(({ share }) => timesOf(ratio(microseconds(again, measure, share), microseconds(still, measure, share))))
  const rows = Array.from(renewing, ([name, rounds]) => [
    name,
    ...QUANTILES.map(({ share }) => timesOf(ratio(microseconds(rounds, measure, share), stillMicroseconds(still, again, measure, share)))),
  ])
  return {
    title: `${MEASURES[measure]}, to the same with nothing renewed`,
    columns: ['', ...QUANTILES.map(({ name }) => name)],
    rows: [['nothing renewed, again', ...control], ...rows],
  }
}

export function times(measure: Measure, all: Named): Table {
  const rows = Array.from(all, ([name, rounds]) => [name, ...QUANTILES.map(({ share }) => spreadOf(microseconds(rounds, measure, share)))])
  return { title: MEASURES[measure], columns: ['µs', ...QUANTILES.map(({ name }) => name)], rows }
}

export function counts(all: Named): Table {
  const rows = Array.from(all, ([name, rounds]) => [
    name,
    spreadOf(rounds.map(({ latencies }) => howMany(latencies))),
    spreadOf(rounds.map(({ blocked }) => blocked)),
    `${spreadOf(rounds.map(({ blocked, latencies }) => (100 * blocked) / howMany(latencies)))} %`,
    spreadOf(rounds.map(({ rotations }) => rotations)),
    spreadOf(rounds.map(({ requests }) => requests)),
  ])
  return { title: 'A round', columns: ['', 'callers', 'blocked callers', 'of all', 'new tokens', 'requests'], rows }
}

export function noticed(own: Own): Table {
  return {
    title: 'The shortest stall that breaks a limit',
    columns: ['', 'ms'],
    rows: [
      ['in most rounds, of a call', figure(noticedMs(own, 'latencies'))],
      ['in most rounds, of the event loop', figure(noticedMs(own, 'waits'))],
      ['in a single round, of either', figure(noticedOnceMs(own))],
    ],
  }
}
