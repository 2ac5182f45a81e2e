import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { median, ratio } from '../measure/statistics.ts'
import { figure, timesOf } from '../report/figure.ts'
import { type Chart, type Limit, limit, type Table } from '../report/report.ts'
import { CROWDED, type Crowded, type Measured, OPERATIONS, type Operation, type Order, type Rounds, WIRE_MS } from './measured.ts'

/** Most that claim and publish may take next to the server, by the bare round trip. SQLite has no round trip to compare with. */
const MOST: Readonly<Record<string, number>> = { redis: 1.5, postgres: 2 }
/** Over the wire, where a second round trip would make it 2. */
const MOST_DISTANT = 1.3

const HOW = `What a store asks of its server, next to the least that can be asked of the same server over the same client. Each operation in turn, one
at a time, “again” to renew what is there: the median of the rounds' medians of 150 calls. Then 20 calls over a wire that takes ${WIRE_MS} ms for a round trip, as one between two
zones of a cloud may: what needs a second one takes twice as long. Then 4,000 calls, or 200 that read
100 keys each, with 64 under way at any time: the median of the rounds, and next to it what the server's processors spent on a call, all its processes
together. What is read are records that have a token, and a hundred of them are a hundred different ones. Servers on this machine, over loopback, with
nothing to fsync: Redis without persistence, PostgreSQL with fsync off. SQLite works in the process of its caller.`

export const storeOperations: Benchmark = {
  name: 'store-operations',
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
    return { title: 'Stores', how: HOW, tables, charts: ownOnly ? [] : [chart], limits }
  },
}

function tablesOf(measured: Measured): Table[] {
  const { name, version, bareName, microseconds, p99Microseconds, distantMicroseconds, throughput, server } = measured
  const who = `${name} ${version}`
  return [
    oneAtATime(`${who}, one at a time`, bareName, microseconds, p99Microseconds),
    ...(distantMicroseconds === undefined ? [] : [oneAtATime(`${who}, ${WIRE_MS} ms away`, bareName, distantMicroseconds)]),
    ...(throughput === undefined ? [] : [manyAtATime(`${who}, 64 under way`, bareName, throughput, server)]),
  ]
}

function barsOf({ name, bareName, microseconds }: Measured): Chart['bars'] {
  return OPERATIONS.map((operation) => ({
    name: `${name}, ${operation === 'bare' ? bareName : operation}`,
    value: median(microseconds[operation]),
    isOurs: operation !== 'bare',
  }))
}

function oneAtATime(title: string, bareName: string, microseconds: Rounds<Operation>, p99?: Rounds<Operation>): Table {
  const rows = OPERATIONS.map((operation) => {
    const taken = microseconds[operation]
    return [
      operation === 'bare' ? bareName : operation,
      timesOf(ratio(taken, microseconds.bare)),
      figure(median(taken)),
      range(taken),
      ...(p99 === undefined ? [] : [figure(median(p99[operation]))]),
    ]
  })
  return { title, columns: ['', `ratio to ${bareName}`, 'µs', 'rounds', ...(p99 === undefined ? [] : ['p99'])], rows }
}

function manyAtATime(title: string, bareName: string, throughput: Rounds<Crowded>, server: Measured['server']): Table {
  const rows = CROWDED.map((operation) => [
    operation === 'bare' ? bareName : operation,
    timesOf(ratio(throughput[operation], throughput.bare)),
    figure(median(throughput[operation])),
    range(throughput[operation]),
    ...(server === undefined ? [] : [figure(median(server[operation])), range(server[operation])]),
  ])
  const ofServer = server === undefined ? [] : ["µs of the server's processors", 'rounds']
  return { title, columns: ['', `ratio to ${bareName}`, 'a second', 'rounds', ...ofServer], rows }
}

function range(samples: readonly number[]): string {
  return `${figure(Math.min(...samples))} to ${figure(Math.max(...samples))}`
}

/** @param most of claim and publish next to the server; without it there is no round trip to compare with */
export function limitsOf({ name, microseconds: near, distantMicroseconds: distant }: Measured, most: number | undefined): Limit[] {
  if (most === undefined || distant === undefined) return []
  const nearby = (['claim', 'publish', 'claim again', 'publish again'] as const).map((operation) =>
    limit(`${operation} to the bare round trip, ${name}`, ratio(near[operation], near.bare), most),
  )
  const away = (['claim', 'publish', 'read'] as const).map((operation) =>
    limit(`${operation} to the bare round trip, ${name} ${WIRE_MS} ms away`, ratio(distant[operation], distant.bare), MOST_DISTANT),
  )
  return [...nearby, ...away]
}
