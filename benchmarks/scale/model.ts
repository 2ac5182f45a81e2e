import { CYCLE_MINUTES, JITTER_MINUTES } from './schedule.ts'

/** What grows with the number of tokens: something once, and something for each. */
export interface Line {
  readonly once: number
  readonly each: number
}

/** The line whose relative deviations from these points, of at least two sizes, are least in square. */
export function fit(points: readonly { readonly tokens: number; readonly measured: number }[]): Line {
  let [w, x, xx, y, xy] = [0, 0, 0, 0, 0]
  for (const { tokens, measured } of points) {
    const weight = 1 / measured ** 2
    w += weight
    x += weight * tokens
    xx += weight * tokens ** 2
    y += weight * measured
    xy += weight * tokens * measured
  }
  const each = (w * xy - x * y) / (w * xx - x ** 2)
  return { once: (y - each * x) / w, each }
}

export function at({ once, each }: Line, tokens: number): number {
  return once + each * tokens
}

/**
 * Of one renewal, by the store: whoever holds the token asks once, and one of them publishes.
 * @param holders processes that serve the tenant
 */
export function operationsPerRenewal(holders: number): number {
  return holders + 1
}

/** Renewals a second, once the tokens are renewed at any time alike, and right after all were fetched in one moment. */
export function renewalsPerSecond(tokens: number): { readonly mean: number; readonly busiest: number } {
  return { mean: tokens / (CYCLE_MINUTES * 60), busiest: tokens / (JITTER_MINUTES * 60) }
}

/** The most of a core, and of memory in bytes, that one node of a store is to use: the rest is for a copy of it, and for a worse day. */
const BUSY_SHARE = 0.5
const SHARD_BYTES = 10e9

/** Of Redis, one core each; at least as many as a cluster has. */
export function shards({ storeBytes, cores }: Needs): number {
  return Math.max(3, Math.ceil(cores.busiest / BUSY_SHARE), Math.ceil(storeBytes / SHARD_BYTES))
}

/** Of the one node that a relational database has for writing. */
export function coresOfOne({ cores }: Needs): number {
  return Math.ceil(cores.busiest / BUSY_SHARE)
}

/** By how much a prediction is wrong, by what was measured. */
export function deviation(predicted: number, measured: number): number {
  return predicted / measured - 1
}

/** What was measured of one store and the processes that use it. */
export interface Measures {
  /** Of a process. */
  readonly heapBytes: Line
  readonly storeBytes: Line
  /** Of the store's processors, for each operation. */
  readonly serverMicroseconds: number
}

export interface Deployment {
  readonly tenants: number
  readonly processes: number
  /** Processes that serve the same tenant: all of them, or fewer if requests are routed by tenant. */
  readonly holders: number
}

export interface Needs {
  /** Of each process. */
  readonly heapBytes: number
  readonly storeBytes: number
  /** Each a second, to the upstream. */
  readonly requests: Load
  /** Each a second, to the store. */
  readonly operations: Load
  /** Of the store's processors, as many as are busy. */
  readonly cores: Load
}

export interface Load {
  readonly mean: number
  readonly busiest: number
}

export function needs({ heapBytes, storeBytes, serverMicroseconds }: Measures, { tenants, processes, holders }: Deployment): Needs {
  const requests = renewalsPerSecond(tenants)
  const scaled = ({ mean, busiest }: Load, by: number): Load => ({ mean: mean * by, busiest: busiest * by })
  const operations = scaled(requests, operationsPerRenewal(holders))
  return {
    heapBytes: at(heapBytes, (tenants * holders) / processes),
    storeBytes: at(storeBytes, tenants),
    requests,
    operations,
    cores: scaled(operations, serverMicroseconds / 1e6),
  }
}
