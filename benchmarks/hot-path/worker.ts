// Measures one way of one contender. Answers with nanoseconds a call, batch by batch, and with bytes a call.
import { setTimeout as passed } from 'node:timers/promises'
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { median } from '../measure/statistics.ts'
import type { Contender, Way } from './contender.ts'

export interface Order {
  readonly contender: string
  readonly way: string
  readonly keys: number
  /** Each key is asked for once, and then not for so long; 0 for one after the other without a pause. Milliseconds. */
  readonly restMs: number
  readonly redisUrl: string
}

export interface Measured {
  readonly name: string
  readonly nanoseconds: readonly number[]
  readonly bytes: number
}

/** Keys, in the order in which they are asked for, over and over: many times as many as there are keys. */
const DRAWN = 2 ** 17
const WARM_UP_MS = 400
const BATCH_MS = 2
const BATCHES = 250
const WEIGHINGS = 21
/** Calls of a weighing, at most; of those that leave much so few that nothing is collected meanwhile. */
const WEIGHED = 1_000
/** A third of what the young generation takes at first before it is collected: the calls before those that are weighed leave as much. */
const MOST_WEIGHED_BYTES = 330_000
/** Calls by which it is known how many that are. */
const TRIED = 10
/** Of those that rest in between: a batch is of all keys. */
const RESTED = { warmUps: 2, batches: 6 }

let last: unknown

async function main(): Promise<void> {
  const { contender: file, way: name, keys, restMs, redisUrl } = argument<Order>()
  const { contender } = (await import(`./contenders/${file}.ts`)) as { readonly contender: Contender }
  const { ways } = await contender.open(keys, redisUrl)
  const way = ways[name]
  if (way === undefined) throw new Error(`${file} has no ${name}`)
  await assertGiven(way, keys)
  const measured = restMs === 0 ? await measureBusy(way, keys) : await measureRested(way, keys, restMs)
  await assertGiven(way, keys)
  answer({ name: contender.name, ...measured } satisfies Measured)
}

/** @throws Error when a call gives nothing, which it would do quickly */
async function assertGiven(way: Way, keys: number): Promise<void> {
  for (const index of [0, keys - 1]) {
    const given = 'sync' in way ? way.sync(index) : await way.async(index)
    if (given === undefined || given === null) throw new Error(`a call for key ${index} gave nothing`)
  }
}

async function measureBusy(way: Way, keys: number): Promise<Omit<Measured, 'name'>> {
  const order = Int32Array.from({ length: DRAWN }, () => Math.floor(Math.random() * keys))
  let count = 64
  const warmAt = performance.now() + WARM_UP_MS
  while (performance.now() < warmAt) {
    const ms = await run(way, order, count)
    if (ms < BATCH_MS) count = Math.ceil(count * Math.min(2, BATCH_MS / Math.max(ms, 0.01)))
  }
  const nanoseconds: number[] = []
  for (let batch = 0; batch < BATCHES; batch++) nanoseconds.push(((await run(way, order, count)) * 1e6) / count)
  return { nanoseconds, bytes: await weighAwaited(way, order, 0) }
}

/** Each key in turn, in an order that memory does not know. */
async function measureRested(way: Way, keys: number, restMs: number): Promise<Omit<Measured, 'name'>> {
  const { warmUps, batches } = RESTED
  const order = shuffled(keys)
  const nanoseconds: number[] = []
  for (let batch = -warmUps; batch < batches; batch++) {
    await passed(restMs)
    const ms = await run(way, order, keys)
    if (batch >= 0) nanoseconds.push((ms * 1e6) / keys)
  }
  return { nanoseconds, bytes: await weighAwaited(way, order, restMs) }
}

function shuffled(keys: number): Int32Array {
  const drawn = Array.from({ length: keys }, (_, index) => ({ index, at: Math.random() })).sort((one, other) => one.at - other.at)
  return Int32Array.from(drawn, ({ index }) => index)
}

/** What awaiting alone takes. */
const NOTHING = Promise.resolve()
const AWAITED: Way = { async: () => NOTHING }

/** @returns milliseconds */
function run(way: Way, order: Int32Array, count: number): number | Promise<number> {
  return 'sync' in way ? runSync(way.sync, order, count) : runAsync(way.async, order, count)
}

function runSync(call: (index: number) => unknown, order: Int32Array, count: number): number {
  const begun = performance.now()
  for (let each = 0, at = 0; each < count; each++) {
    last = call(order[at] as number)
    if (++at === order.length) at = 0
  }
  return performance.now() - begun
}

async function runAsync(call: (index: number) => Promise<unknown>, order: Int32Array, count: number): Promise<number> {
  const begun = performance.now()
  for (let each = 0, at = 0; each < count; each++) {
    last = await call(order[at] as number)
    if (++at === order.length) at = 0
  }
  return performance.now() - begun
}

/** @returns bytes that one call leaves for the collector, beyond those of `await` */
async function weighAwaited(way: Way, order: Int32Array, restMs: number): Promise<number> {
  // First, while the code is compiled for this way alone, as it was when it was timed.
  const left = await weigh(way, order, restMs)
  const awaited = 'async' in way ? await weigh(AWAITED, order, 0) : 0
  return Math.max(0, Math.round(left - awaited))
}

/** @param restMs before a key is asked for again, milliseconds; 0 for no rest */
async function weigh(way: Way, order: Int32Array, restMs: number): Promise<number> {
  await rest(restMs)
  const tried = await weighOnce(way, order.subarray(0, TRIED), restMs)
  const count = Math.max(TRIED, Math.min(WEIGHED, Math.floor(MOST_WEIGHED_BYTES / Math.max(1, tried))))
  const weights: number[] = []
  for (let from = TRIED; weights.length < WEIGHINGS; from += count) {
    if (from + count > order.length) {
      from = 0
      await rest(restMs)
    }
    // While a few of those that have rested are weighed, the others go on resting.
    weights.push(await weighOnce(way, order.subarray(from, from + count), restMs))
  }
  return median(weights)
}

async function rest(ms: number): Promise<void> {
  if (ms > 0) await passed(ms)
}

/** @returns bytes a call */
async function weighOnce(way: Way, order: Int32Array, restMs: number): Promise<number> {
  globalThis.gc?.()
  // A collection takes so long that some would have rested after it.
  if (restMs === 0) await run(way, order, order.length)
  const before = process.memoryUsage().heapUsed
  await run(way, order, order.length)
  return (process.memoryUsage().heapUsed - before) / order.length
}

await main()
// Servers and connections of the contender end with the process.
process.once('disconnect', () => process.exit(0))
void last
