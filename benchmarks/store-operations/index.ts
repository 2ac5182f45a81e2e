import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { median, ratio } from '../measure/statistics.ts'
import { figure, times, timesOf } from '../report/figure.ts'
import type { Limit, Table } from '../report/report.ts'
import { type Measured, OPERATIONS, type Order } from './measured.ts'

/** Most that claim and publish may take, by the bare round trip. SQLite has no round trip to compare with. */
const MOST: Readonly<Record<string, number>> = { redis: 1.5, postgres: 2 }

const HOW = `What a store asks of its server, next to the least that can be asked of the same server over the same client. Each operation in turn, one
at a time: the median of the rounds' medians of 150 calls. Then 4,000 calls with 64 under way at any time. Servers on this machine, over loopback, with
nothing to fsync: on a network the round trip is most of everything, and all of these are one. SQLite works in the process of its caller.`

export const storeOperations: Benchmark = {
  name: 'store-operations',
  async measure({ rounds, ownOnly, progress }) {
    const tables: Table[] = []
    const limits: Limit[] = []
    for (const place of ownOnly ? ['redis', 'postgres'] : ['redis', 'postgres', 'sqlite']) {
      progress(place)
      const order: Order = { place, rounds }
      const measured = await inProcess<Measured>(new URL('worker.ts', import.meta.url), order)
      tables.push(oneAtATime(measured), manyAtATime(measured))
      const { name, microseconds } = measured
      const most = MOST[place]
      if (most === undefined) continue
      for (const operation of ['claim', 'publish'] as const) {
        const { median: compared } = ratio(microseconds[operation], microseconds.bare)
        limits.push({ what: `${operation} to the bare round trip, ${name}`, ratio: compared, most })
      }
    }
    return { title: 'Stores', how: HOW, tables, charts: [], limits }
  },
}

function oneAtATime({ name, bareName, microseconds }: Measured): Table {
  const rows = OPERATIONS.map((operation) => {
    const taken = microseconds[operation]
    return [
      operation === 'bare' ? bareName : operation,
      figure(median(taken)),
      `${figure(Math.min(...taken))} to ${figure(Math.max(...taken))}`,
      timesOf(ratio(taken, microseconds.bare)),
    ]
  })
  return { title: `${name}, one at a time`, columns: ['', 'µs', 'rounds', `ratio to ${bareName}`], rows }
}

function manyAtATime({ name, bareName, throughput, server }: Measured): Table {
  const rows = (['bare', 'claim', 'read'] as const).map((operation) => [
    operation === 'bare' ? bareName : operation,
    figure(median(throughput[operation])),
    times(ratio(throughput[operation], throughput.bare).median),
    server === undefined ? '' : figure(server[operation]),
  ])
  const columns = ['', 'a second', `ratio to ${bareName}`, "µs of the server's processors"]
  return { title: `${name}, 64 under way`, columns, rows }
}
