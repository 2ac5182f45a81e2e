import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { median, ratio } from '../measure/statistics.ts'
import { spreadOf, timesOf } from '../report/figure.ts'
import { type Chart, type Figures, type Limit, limit, type Table } from '../report/report.ts'
import {
  AT_ONCE,
  BLOCK,
  BLOCKS,
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
  WEIGHED,
  type Weighed,
  WIRE_MS,
} from './measured.ts'

interface Most {
  /** That claim and publish may take next to the server. */
  readonly time: number
  /** That its processors may spend on them, in the mean of the two: about a quarter more than they do. */
  readonly processor: number
}

/** Most, by the bare round trip. SQLite has no round trip to compare with. */
const MOST: Readonly<Record<string, Most>> = { redis: { time: 1.5, processor: 4.5 }, postgres: { time: 2, processor: 7 } }
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
zones of a cloud may: what needs a second one takes twice as long. Then the same again
in a process that listens for changes, as each does that holds tokens: the server tells it of what it publishes before it answers, and the process hears that before the answer.
What the server's processors spend on a call, all its processes together, is looked at before and after ${BLOCK} calls one at a time, ${BLOCKS} times in a round, of which the median counts;
that is measured while the process listens, too, and so is what follows. Then ${CROWD.toLocaleString('en-US')} calls, or ${CROWD_OF_HUNDREDS} that read
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
    const figures: Figures[] = []
    const bars: Chart['bars'][number][] = []
    for (const place of ownOnly ? ['redis', 'postgres'] : ['redis', 'postgres', 'sqlite']) {
      progress(place)
      const order: Order = { place, rounds, limitsOnly: ownOnly }
      const measured = await inProcess<Measured>(new URL('worker.ts', import.meta.url), order)
      tables.push(...tablesOf(measured))
      limits.push(...limitsOf(measured, MOST[place]))
      figures.push(...figuresOf(measured))
      bars.push(...barsOf(measured))
    }
    const chart: Chart = { name: 'store-operations', title: 'One operation of a store, next to the bare round trip', unit: 'µs', bars }
    return { tables, charts: ownOnly ? [] : [chart], limits, figures }
  },
}

export function tablesOf(measured: Measured): Table[] {
  const { name, version, microseconds, p99Microseconds, distantMicroseconds: distant, distantP99Microseconds: distantP99, crowd } = measured
  const { listeningMicroseconds: listening, listeningP99Microseconds: listeningP99 } = measured
  const who = `${name} ${version}`
  return [
    oneAtATime(`${who}, one at a time`, measured, microseconds, p99Microseconds),
    ...(listening && listeningP99
      ? [oneAtATime(`${who}, one at a time, while the process listens`, measured, listening, listeningP99)]
      : []),
    ...(measured.serverMicroseconds ? [serverTimes(`${who}, one at a time`, measured, measured.serverMicroseconds)] : []),
    ...(distant && distantP99 ? [oneAtATime(`${who}, ${WIRE_MS} ms away`, measured, distant, distantP99)] : []),
    ...(crowd ? [manyAtATime(`${who}, ${AT_ONCE} under way`, measured, crowd)] : []),
  ]
}

/** What the tables and the limits are made from. */
export function figuresOf(measured: Measured): Figures[] {
  const { name, bareName, crowd } = measured
  const of = (what: string, unit: string, rounds: Rounds<string> | undefined): Figures[] =>
    Object.entries(rounds ?? {}).map(([operation, each]) => {
      const called = operation === 'bare' ? bareName : operation
      return { what: `${name}, ${called}, ${what}`, unit, each }
    })
  return [
    ...of('median', 'µs', measured.microseconds),
    ...of('p99', 'µs', measured.p99Microseconds),
    ...of('while the process listens, median', 'µs', measured.listeningMicroseconds),
    ...of('while the process listens, p99', 'µs', measured.listeningP99Microseconds),
    ...of(`${WIRE_MS} ms away, median`, 'µs', measured.distantMicroseconds),
    ...of(`${WIRE_MS} ms away, p99`, 'µs', measured.distantP99Microseconds),
    ...of("the server's processors", 'µs', measured.serverMicroseconds),
    ...of(`${AT_ONCE} under way`, 'a second', crowd?.perSecond),
    ...of(`${AT_ONCE} under way, p99`, 'µs', crowd?.p99Microseconds),
    ...of(`${AT_ONCE} under way, processors`, 'µs', crowd?.processorMicroseconds),
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

function serverTimes(title: string, { bareName }: Measured, spent: Rounds<Weighed>): Table {
  const rows = WEIGHED.map((operation) => [
    operation === 'bare' ? bareName : operation,
    timesOf(ratio(spent[operation], spent.bare)),
    spreadOf(spent[operation]),
  ])
  return { title: `${title}, the server's processors`, columns: ['', `ratio to ${bareName}`, 'µs'], rows }
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

/** Without `most` there is no round trip to compare with. */
export function limitsOf(measured: Measured, most: Most | undefined): Limit[] {
  const { name, microseconds: near, distantMicroseconds: distant, serverMicroseconds: spent } = measured
  if (most === undefined || distant === undefined) return []
  const nearby = (['claim', 'publish', 'claim again', 'publish again'] as const).map((operation) => ({
    ...limit(`${operation} to the bare round trip, ${name}`, ratio(near[operation], near.bare), most.time),
    room: ROOM,
  }))
  const away = (['claim', 'publish', 'read'] as const).map((operation) =>
    limit(`${operation} to the bare round trip, ${name} ${WIRE_MS} ms away`, ratio(distant[operation], distant.bare), MOST_DISTANT),
  )
  if (spent === undefined) return [...nearby, ...away]
  const renewing = spent.claim.map((claim, round) => (claim + (spent.publish[round] ?? Number.NaN)) / 2)
  const what = `server's processor time for claim and publish to that for the bare round trip, ${name}`
  return [...nearby, ...away, limit(what, ratio(renewing, spent.bare), most.processor)]
}
