import { howMany } from '../measure/histogram.ts'
import { ratio, type Spread } from '../measure/statistics.ts'
import { figure, spreadOf, timesOf } from '../report/figure.ts'
import type { Figures, Table } from '../report/report.ts'
import { noticedMs, noticedOnceMs, type Own, toStill } from './limits.ts'
import { type Measure, microseconds, QUANTILES } from './quantiles.ts'
import type { Run } from './run.ts'

/** The rounds of each library, by its name. */
export type Named = ReadonlyMap<string, readonly Run[]>

/** Of another library, with nothing renewed and with renewals. */
export interface Other<T> {
  readonly still: T
  readonly rotating: T
}

const MEASURES: Readonly<Record<Measure, string>> = {
  latencies: 'From the call to what comes of it',
  waits: 'From the moment at which a caller was due',
}

/** Each library to itself: one may take long whether or not anything is renewed. */
export function ratios(measure: Measure, own: Own, others: readonly Other<readonly Run[]>[]): Table {
  const row = (name: string, of: (share: number) => Spread) => [name, ...QUANTILES.map(({ share }) => timesOf(of(share)))]
  const to = (runs: readonly Run[], still: readonly Run[]) => (share: number) =>
    ratio(microseconds(runs, measure, share), microseconds(still, measure, share))
  const nameOf = ([first]: readonly Run[]) => first?.name ?? ''
  return {
    title: `${MEASURES[measure]}, to the same with nothing renewed`,
    columns: ['', ...QUANTILES.map(({ name }) => name)],
    rows: [
      row(`${nameOf(own.still)}, nothing renewed, again`, to(own.again, own.still)),
      row(nameOf(own.rotating), (share) => toStill(own, measure, share)),
      ...others.map(({ still, rotating }) => row(nameOf(rotating), to(rotating, still))),
    ],
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

/** What the tables and the limits are made from. */
export function figures(all: Named): Figures[] {
  return Array.from(all, ([name, rounds]) => [
    { what: `${name}, callers`, unit: 'callers', each: rounds.map(({ latencies }) => howMany(latencies)) },
    { what: `${name}, blocked callers`, unit: 'callers', each: rounds.map(({ blocked }) => blocked) },
    { what: `${name}, new tokens`, unit: 'tokens', each: rounds.map(({ rotations }) => rotations) },
    { what: `${name}, requests`, unit: 'requests', each: rounds.map(({ requests }) => requests) },
    ...(['latencies', 'waits'] as const).flatMap((measure) =>
      QUANTILES.map((quantile) => ({
        what: `${name}, ${MEASURES[measure].toLowerCase()}, ${quantile.name}`,
        unit: 'µs',
        each: microseconds(rounds, measure, quantile.share),
      })),
    ),
  ]).flat()
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
