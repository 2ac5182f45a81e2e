// Measures one way of one contender. Answers with nanoseconds a call, batch by batch, and with bytes a call.
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { median } from '../measure/statistics.ts'
import type { Contender, Way } from './contender.ts'

export interface Order {
  readonly contender: string
  readonly way: string
  readonly keys: number
  readonly redisUrl: string
}

export interface Measured {
  readonly name: string
  readonly nanoseconds: readonly number[]
  readonly bytes: number
}

/** Keys, in the order in which they are asked for, over and over: a power of two, and many times as many as there are keys. */
const DRAWN = 2 ** 17
const WARM_UP_MS = 400
const BATCH_MS = 2
const BATCHES = 250
/** So few that nothing is collected meanwhile. */
const WEIGHED = 1_000
const WEIGHINGS = 21

let last: unknown

async function main(): Promise<void> {
  const { contender: file, way: name, keys, redisUrl } = argument<Order>()
  const { contender } = (await import(`./contenders/${file}.ts`)) as { readonly contender: Contender }
  const { ways } = await contender.open(keys, redisUrl)
  const way = ways[name]
  if (way === undefined) throw new Error(`${file} has no ${name}`)
  const order = Int32Array.from({ length: DRAWN }, () => Math.floor(Math.random() * keys))

  let count = 64
  const warmAt = performance.now() + WARM_UP_MS
  while (performance.now() < warmAt) {
    const ms = await run(way, order, count)
    if (ms < BATCH_MS) count = Math.ceil(count * Math.min(2, BATCH_MS / Math.max(ms, 0.01)))
  }
  const nanoseconds: number[] = []
  for (let batch = 0; batch < BATCHES; batch++) nanoseconds.push(((await run(way, order, count)) * 1e6) / count)
  const bytes = (await weigh(way, order)) - ('async' in way ? await weigh(AWAITED, order) : 0)
  answer({ name: contender.name, nanoseconds, bytes: Math.max(0, Math.round(bytes)) } satisfies Measured)
}

/** What awaiting alone takes. */
const NOTHING = Promise.resolve()
const AWAITED: Way = { async: () => NOTHING }

/** @returns milliseconds */
function run(way: Way, order: Int32Array, count: number): number | Promise<number> {
  return 'sync' in way ? runSync(way.sync, order, count) : runAsync(way.async, order, count)
}

function runSync(call: (index: number) => unknown, order: Int32Array, count: number): number {
  const mask = order.length - 1
  const begun = performance.now()
  for (let each = 0; each < count; each++) last = call(order[each & mask] as number)
  return performance.now() - begun
}

async function runAsync(call: (index: number) => Promise<unknown>, order: Int32Array, count: number): Promise<number> {
  const mask = order.length - 1
  const begun = performance.now()
  for (let each = 0; each < count; each++) last = await call(order[each & mask] as number)
  return performance.now() - begun
}

/** @returns bytes that one call leaves for the collector */
async function weigh(way: Way, order: Int32Array): Promise<number> {
  const weights: number[] = []
  for (let weighing = 0; weighing < WEIGHINGS; weighing++) {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    await run(way, order, WEIGHED)
    weights.push((process.memoryUsage().heapUsed - before) / WEIGHED)
  }
  return median(weights)
}

await main()
// Servers and connections of the contender end with the process.
process.once('disconnect', () => process.exit(0))
void last
