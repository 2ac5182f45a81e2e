import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { median, ratio } from '../measure/statistics.ts'
import { spreadOf, timesOf } from '../report/figure.ts'
import { type Chart, type Limit, limit, type Table } from '../report/report.ts'
import {
  AT_ONCE,
  CALLS,
  CROWD,
  CROWD_OF_HUNDREDS,
  CROWDED,
  type Crowds,
  DISTANT_CALLS,
  type Measured,
  OPERATIONS,
  type Operation,
  type Order,
  type Rounds,
  WIRE_MS,
} from './measured.ts'

/** Most that claim and publish may take next to the server, by the bare round trip. SQLite has no round trip to compare with. */
const MOST: Readonly<Record<string, number>> = { redis: 1.5, postgres: 2 }
/**
 * A processor that polls for a while before it sleeps, as a virtual one may, answers the bare round trip at once and sleeps through what takes
 * twice as long: that alone makes the ratio half as great again, or a little more.
 */
const ROOM = 1.6
/** Over the wire, where a second round trip would make it 2. */
const MOST_DISTANT = 1.3

const HOW = `What a store asks of its server, next to the least that can be asked of the same server over the same client. Each operation one
at a time, “again” to renew what is there: ${CALLS} turns of all of them in a round, in an order that changes from turn to turn so that each follows each other equally often, as
one that leaves the server busy makes the next one slow. Then ${DISTANT_CALLS} turns over a wire that takes ${WIRE_MS} ms for a round trip, as one between two
zones of a cloud may: what needs a second one takes twice as long. Then ${CROWD.toLocaleString('en-US')} calls, or ${CROWD_OF_HUNDREDS} that read
100 keys each, with ${AT_ONCE} under way at any time, each of which waits for those before it, and next to it what the server's processors spent on a call, all its processes
together. Times are the median of the rounds' medians, and p99 the median of the rounds' 99th of 100, each with the least and the greatest of the rounds; of ${DISTANT_CALLS} calls that is near the slowest.
What is read are records that have a token, and a hundred of them are a hundred different ones. Servers on this machine, over loopback, with
nothing to fsync: Redis without persistence, PostgreSQL with fsync and full_page_writes off. SQLite works in the process of its caller: its processor time is that of
the process, with what the calls themselves take there.`

export const storeOperations: Benchmark = {
  name: 'store-operations',
  title: 'Stores',
  how: HOW,
  programs: [new URL('worker.ts', import.meta.url)],
  async measure({ rounds, ownOnly, progress }) {
    const tables: Table[] = []
    const limits: Limit[] = []
    const bars: Chart['bars'][number][] = []
    for (const place of ownOnly ? ['redis', 'postgres'] : ['redis', 'postgres', 'sqlite']) {
      progress(place)
      const order: Order = { place, rounds, limitsOnly: ownOnly }
      const measured = await inProcess<Measured>(new URL('worker.ts', import.meta.url), order)
      tables.push(...tablesOf(measured))
      limits.push(...limitsOf(measured, MOST[place]))
      bars.push(...barsOf(measured))
    }
    const chart: Chart = { name: 'store-operations', title: 'One operation of a store, next to the bare round trip', unit: 'µs', bars }
    return { tables, charts: ownOnly ? [] : [chart], limits }
  },
}

export function tablesOf(measured: Measured): Table[] {
  const { name, version, microseconds, p99Microseconds, distantMicroseconds: distant, distantP99Microseconds: distantP99, crowd } = measured
  const who = `${name} ${version}`
  return [
    oneAtATime(`${who}, one at a time`, measured, microseconds, p99Microseconds),
    ...(distant && distantP99 ? [oneAtATime(`${who}, ${WIRE_MS} ms away`, measured, distant, distantP99)] : []),
    ...(crowd ? [manyAtATime(`${who}, ${AT_ONCE} under way`, measured, crowd)] : []),
  ]
}

function barsOf({ name, bareName, microseconds }: Measured): Chart['bars'] {
  return OPERATIONS.map((operation) => ({
    name: `${name}, ${operation === 'bare' ? bareName : operation}`,
    value: median(microseconds[operation]),
    isOurs: operation !== 'bare',
  }))
}

function oneAtATime(title: string, { bareName }: Measured, microseconds: Rounds<Operation>, p99: Rounds<Operation>): Table {
  const rows = OPERATIONS.map((operation) => [
    operation === 'bare' ? bareName : operation,
    timesOf(ratio(microseconds[operation], microseconds.bare)),
    spreadOf(microseconds[operation]),
    spreadOf(p99[operation]),
  ])
  return { title, columns: ['', `ratio to ${bareName}`, 'µs', 'p99 µs'], rows }
}

function manyAtATime(title: string, { bareName, hasServer }: Measured, crowd: Crowds): Table {
  const { perSecond, p99Microseconds, processorMicroseconds } = crowd
  const rows = CROWDED.map((operation) => [
    operation === 'bare' ? bareName : operation,
    timesOf(ratio(perSecond[operation], perSecond.bare)),
    spreadOf(perSecond[operation]),
    spreadOf(p99Microseconds[operation]),
    ...(processorMicroseconds ? [spreadOf(processorMicroseconds[operation])] : []),
  ])
  const whose = hasServer ? "µs of the server's processors" : "µs of the process's processors"
  return { title, columns: ['', `ratio to ${bareName}`, 'a second', 'p99 µs', ...(processorMicroseconds ? [whose] : [])], rows }
}

/** @param most of claim and publish next to the server; without it there is no round trip to compare with */
export function limitsOf({ name, microseconds: near, distantMicroseconds: distant }: Measured, most: number | undefined): Limit[] {
  if (most === undefined || distant === undefined) return []
  const nearby = (['claim', 'publish', 'claim again', 'publish again'] as const).map((operation) => ({
    ...limit(`${operation} to the bare round trip, ${name}`, ratio(near[operation], near.bare), most),
    room: ROOM,
  }))
  const away = (['claim', 'publish', 'read'] as const).map((operation) =>
    limit(`${operation} to the bare round trip, ${name} ${WIRE_MS} ms away`, ratio(distant[operation], distant.bare), MOST_DISTANT),
  )
  return [...nearby, ...away]
}
