import { CYCLE_MINUTES, JITTER_MINUTES } from './schedule.ts'

/** What grows with the number of tokens: something once, and something for each. */
export interface Line {
  readonly once: number
  readonly each: number
}

/**
 * The weights that make these sums of terms equal what was measured, with the least relative deviations in square. Nothing that is measured here
 * can be less for there being more of something, so a term that would have a negative weight has none.
 * @returns undefined where the points do not tell the terms apart
 */
function leastSquares(points: readonly { readonly terms: readonly number[]; readonly measured: number }[]): readonly number[] | undefined {
  const terms = points[0]?.terms.map((_, index) => index) ?? []
  for (let kept = terms; ; ) {
    const rows = points.map((point) => kept.map((term) => (point.terms[term] ?? 0) / point.measured))
    const weights = solve(
      kept.map((_, i) => kept.map((_, j) => sum(rows.map((row) => (row[i] ?? 0) * (row[j] ?? 0))))),
      kept.map((_, i) => sum(rows.map((row) => row[i] ?? 0))),
    )
    if (weights === undefined) return undefined
    const least = Math.min(...weights)
    if (least >= 0 || Number.isNaN(least)) return terms.map((term) => weights[kept.indexOf(term)] ?? 0)
    kept = kept.filter((_, index) => weights[index] !== least)
  }
}

/** A pivot so much less than what it was made from is what rounding has left of nothing. */
const NOTHING = 1e-10

/** By elimination; the matrix is symmetric and has no negative eigenvalue, so that its diagonal serves as it comes. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] | undefined {
  if (matrix.length === 0) return []
  const [[pivot = 0, ...rest] = [], ...others] = matrix
  const [first = 0, ...targets] = right
  const columns = others.map(([head = 0, ...tail]) => ({ share: head / pivot, tail }))
  const reduced = columns.map(({ share, tail }) => tail.map((value, index) => value - share * (rest[index] ?? 0)))
  const isLost = reduced.some((row, index) => (row[index] ?? 0) <= NOTHING * (columns[index]?.tail[index] ?? 0))
  if (pivot <= 0 || isLost) return undefined
  const found = solve(
    reduced,
    targets.map((target, index) => target - (columns[index]?.share ?? 0) * first),
  )
  return found && [(first - sum(found.map((value, index) => value * (rest[index] ?? 0)))) / pivot, ...found]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The line whose relative deviations from these points are least in square; undefined if they are not of two sizes. */
export function fit(points: readonly { readonly tokens: number; readonly measured: number }[]): Line | undefined {
  const [once, each] = leastSquares(points.map(({ tokens, measured }) => ({ terms: [1, tokens], measured }))) ?? []
  return once === undefined || each === undefined ? undefined : { once, each }
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

/** Of the store's processors, microseconds. */
export interface Cost {
  /** For a rotation, however many tokens it has: what the server does besides. */
  readonly once: number
  /** For a renewal: the publication, and what the claim that is granted takes beyond the others. */
  readonly renewal: number
  /** For a renewal, by each process that holds the token: its claim, and telling it of the new token. */
  readonly holder: number
}

/** One rotation of so many tokens, each held by all of these processes. */
export interface Rotated {
  readonly tenants: number
  readonly processes: number
}

/** The cost with the least relative deviations in square; undefined if the rotations are not of two sizes and two numbers of processes. */
export function fitCost(rotations: readonly (Rotated & { readonly microseconds: number })[]): Cost | undefined {
  const points = rotations.map(({ tenants, processes, microseconds }) => ({
    terms: [1, tenants, tenants * processes],
    measured: microseconds,
  }))
  const [once, renewal, holder] = leastSquares(points) ?? []
  return once === undefined || renewal === undefined || holder === undefined ? undefined : { once, renewal, holder }
}

export function costOf(cost: Cost, { tenants, processes }: Rotated): number {
  return cost.once + tenants * costPerRenewal(cost, processes)
}

function costPerRenewal({ renewal, holder }: Cost, holders: number): number {
  return renewal + holder * holders
}

/** Renewals a second, once the tokens are renewed at any time alike, and right after all were fetched in one moment. */
export function renewalsPerSecond(tokens: number): { readonly mean: number; readonly busiest: number } {
  return { mean: tokens / (CYCLE_MINUTES * 60), busiest: tokens / (JITTER_MINUTES * 60) }
}

/** The most of a core, and of memory in bytes, that one node of a store is to use: the rest is for a copy of it, and for a worse day. */
const BUSY_SHARE = 0.5
const SHARD_BYTES = 10e9

/** Of Redis, one core each; at least as many as a cluster has. */
export function shards({ storeBytes, cores }: NodeNeeds): number {
  return Math.max(3, Math.ceil(cores / BUSY_SHARE), Math.ceil(storeBytes / SHARD_BYTES))
}

/** Of the one node that a relational database has for writing. */
export function coresOfOne({ cores }: NodeNeeds): number {
  return Math.ceil(cores / BUSY_SHARE)
}

/** What decides how many nodes a store has. */
export interface NodeNeeds {
  readonly storeBytes: number
  /** As many as are busy in the busiest minute. */
  readonly cores: number
}

/** By how much a prediction is wrong, by what was measured. */
export function deviation(predicted: number, measured: number): number {
  return predicted / measured - 1
}

/** From the least to the greatest. */
export interface Range {
  readonly least: number
  readonly greatest: number
}

/** Where a figure may lie of which the model says this, if it is as wrong as it was about what was measured. */
export function rangeOf(predicted: number, deviations: readonly number[]): Range {
  const possible = deviations.map((each) => predicted / (1 + each))
  return { least: Math.min(predicted, ...possible), greatest: Math.max(predicted, ...possible) }
}

/** What was measured of one store and the processes that use it. */
export interface Measures {
  /** Of a process. */
  readonly heapBytes: Line
  readonly storeBytes: Line
  readonly cost: Cost
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

export function needs({ heapBytes, storeBytes, cost }: Measures, { tenants, processes, holders }: Deployment): Needs {
  const requests = renewalsPerSecond(tenants)
  const scaled = ({ mean, busiest }: Load, by: number): Load => ({ mean: mean * by, busiest: busiest * by })
  const operations = scaled(requests, operationsPerRenewal(holders))
  return {
    heapBytes: at(heapBytes, (tenants * holders) / processes),
    storeBytes: at(storeBytes, tenants),
    requests,
    operations,
    cores: scaled(requests, costPerRenewal(cost, holders) / 1e6),
  }
}
