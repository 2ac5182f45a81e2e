import { figure, spreadOf, times } from '../report/figure.ts'
import type { Chart, Figures, Table } from '../report/report.ts'
import type { Filling, Rotation } from './fleet.ts'
import {
  at,
  type Cost,
  coresOfOne,
  costOf,
  type Deployment,
  deviation,
  fit,
  fitCost,
  type Line,
  type Load,
  type Measures,
  type NodeNeeds,
  needs,
  operationsPerRenewal,
  type Range,
  rangeOf,
  shards,
} from './model.ts'
import { JITTER_MINUTES } from './schedule.ts'

/** What was measured of one store, by size. */
export interface Measured {
  /** The store's. */
  readonly name: string
  /** Its records can lie on several nodes. */
  readonly isSpread: boolean
  readonly fillings: readonly (Filling & { readonly tenants: number })[]
  readonly rotations: readonly Rotation[]
}

export function fillings({ name, fillings: rows }: Measured): Table {
  return {
    title: `${name}: fetched by one process, one token for each tenant`,
    columns: ['tenants', 'bytes a token', 'fetched a second', 'bytes a token in the store'],
    rows: rows.map(({ tenants, bytesPerToken, perSecond, storeBytes }) => [
      count(tenants),
      figure(bytesPerToken),
      figure(perSecond),
      figure(storeBytes / tenants),
    ]),
  }
}

export function rotations({ name, rotations: rows }: Measured): Table {
  return {
    title: `${name}: all renewed, all in each process`,
    columns: [
      'tenants, processes, time',
      'busiest minute to the mean of the ten',
      'of the 29',
      'most due in a second to the mean',
      'requests a renewal',
      'store operations a renewal',
      'bytes a token',
      'event loop late, p99 ms',
      'longest',
      'of which without a core',
      'ended after, s',
      'renewals a second',
      'store operations a second',
      "µs of the store's processors, each",
    ],
    rows: rows.map((each) => {
      const { tenants, processes, speed, bytesPerToken, delay, requests, operations, evenness, serverMicroseconds } = each
      const { lateMs, withoutCoreMs, afterMs } = delay.longest
      const seconds = each.tookMs / 1_000
      return [
        `${count(tenants)} by ${processes}, ${times(speed)}`,
        times(evenness.toDrawn),
        times(evenness.toWindow),
        times(each.dueInASecond),
        figure(requests / tenants),
        figure(operations / tenants),
        figure(bytesPerToken),
        spreadOf(each.lateMs),
        figure(lateMs),
        withoutCoreMs === undefined ? '' : figure(withoutCoreMs),
        figure(afterMs / 1_000),
        figure(tenants / seconds),
        figure(operations / seconds),
        figure(serverMicroseconds),
      ]
    }),
  }
}

/** What the tables and the limits are made from, of each size measured once; how late, of each process. */
export function figures({ name, fillings: filled, rotations: rotated }: Measured): Figures[] {
  return [
    ...filled.flatMap(({ tenants, ...each }) => [
      of(`${name}, ${count(tenants)} fetched, heap`, 'bytes', each.heapBytes),
      of(`${name}, ${count(tenants)} fetched, a token beyond its value`, 'bytes', each.bytesPerToken),
      of(`${name}, ${count(tenants)} fetched, in the store`, 'bytes', each.storeBytes),
      of(`${name}, ${count(tenants)} fetched`, 'a second', each.perSecond),
    ]),
    ...rotated.flatMap(({ tenants, processes, ...each }) => {
      const who = `${name}, ${count(tenants)} renewed by ${processes}`
      return [
        of(`${who}, heap of a process`, 'bytes', each.heapBytes),
        of(`${who}, a token beyond its value`, 'bytes', each.bytesPerToken),
        of(`${who}, event loop late, p99`, 'ms', ...each.lateMs),
        of(`${who}, event loop late, longest`, 'ms', each.delay.longest.lateMs),
        of(`${who}, requests`, 'requests', each.requests),
        of(`${who}, in the busiest minute`, 'requests', each.evenness.busiest),
        of(`${who}, most due in a second to the mean`, '×', each.dueInASecond),
        of(`${who}, store operations`, 'operations', each.operations),
        of(`${who}, the store's processors, each operation`, 'µs', each.serverMicroseconds),
        of(`${who}, took`, 'ms', each.tookMs),
      ]
    }),
  ]
}

function of(what: string, unit: string, ...each: readonly number[]): Figures {
  return { what, unit, each }
}

type Filled = Measured['fillings'][number]
type Kept = 'heapBytes' | 'storeBytes'

function line(filled: readonly Filled[], what: Kept): Line | undefined {
  return fit(filled.map((each) => ({ tokens: each.tenants, measured: each[what] })))
}

function cost(rotated: readonly Rotation[]): Cost | undefined {
  return fitCost(rotated.map((each) => ({ ...each, microseconds: serverTime(each) })))
}

function serverTime({ operations, serverMicroseconds }: Rotation): number {
  return operations * serverMicroseconds
}

/** Of what the others say of each; undefined where they are too few to say anything. What is predicted has no part in the prediction. */
function lineDeviations(filled: readonly Filled[], what: Kept): (number | undefined)[] {
  return filled.map((each) => {
    const fitted = line(without(filled, each), what)
    return fitted && deviation(at(fitted, each.tenants), each[what])
  })
}

function costDeviations(rotated: readonly Rotation[]): (number | undefined)[] {
  return rotated.map((each) => {
    const fitted = cost(without(rotated, each))
    return fitted && deviation(costOf(fitted, each), serverTime(each))
  })
}

function without<T>(all: readonly T[], one: T): T[] {
  return all.filter((each) => each !== one)
}

/** The weights that are found from all that was measured. */
export function coefficients(all: readonly Measured[]): Table {
  return {
    title: 'The model',
    columns: [
      '',
      'heap of a process once, MB',
      'and for each token, bytes',
      'in the store once, MB',
      'and for each token, bytes',
      "the store's processor time for a rotation once, ms",
      'for each renewal, µs',
      'and for each process that holds the token, µs',
    ],
    rows: all.map((measured) => {
      const { heapBytes, storeBytes, cost } = measuresOf(measured)
      const lines = [heapBytes, storeBytes].flatMap(({ once, each }) => [figure(once / 1e6), figure(each)])
      return [measured.name, ...lines, figure(cost.once / 1_000), figure(cost.renewal), figure(cost.holder)]
    }),
  }
}

function measuresOf({ name, fillings: filled, rotations: rotated }: Measured): Measures {
  const [heapBytes, storeBytes, spent] = [line(filled, 'heapBytes'), line(filled, 'storeBytes'), cost(rotated)]
  if (heapBytes === undefined || storeBytes === undefined || spent === undefined)
    throw new Error(`${name}: too little was measured to say what more would take`)
  return { heapBytes, storeBytes, cost: spent }
}

/** The model's predictions of what was measured, each with what is wrong about it. */
export function check(all: readonly Measured[]): Table {
  const rows = all.flatMap(({ name, fillings: filled, rotations: rotated }) => {
    const ofHeap = lineDeviations(filled, 'heapBytes')
    const ofStore = lineDeviations(filled, 'storeBytes')
    const ofCost = costDeviations(rotated)
    const memory = filled.map(({ tenants }, index) => [
      `${name}, ${count(tenants)} fetched`,
      off(ofHeap[index]),
      off(ofStore[index]),
      '',
      '',
      '',
      '',
    ])
    const renewed = rotated.map(({ tenants, processes, operations, requests, evenness }, index) => [
      `${name}, ${count(tenants)} renewed by ${processes}`,
      '',
      '',
      off(deviation(tenants * operationsPerRenewal(processes), operations)),
      off(ofCost[index]),
      off(deviation(tenants, requests)),
      off(deviation(tenants / JITTER_MINUTES, evenness.busiest)),
    ])
    return [...memory, ...renewed]
  })
  return {
    title: 'What the model says, less what was measured',
    columns: [
      '',
      'heap of a process',
      'bytes in the store',
      'store operations',
      "the store's processor time",
      'upstream requests',
      'in the busiest minute',
    ],
    rows,
  }
}

/** What the model says of sizes that nobody measured, and between what that may lie by {@link check}. */
export function plan(all: readonly Measured[], deployments: readonly Deployment[]): Table {
  return {
    title: 'What ten million would take',
    columns: [
      '',
      'GB of heap, each process',
      'GB in the store',
      'upstream requests a second, and after a cold start',
      'store operations a second, and after a cold start',
      "the store's cores that are busy",
      'and after a cold start',
      "the store's nodes",
    ],
    rows: all.flatMap((measured) => deployments.map((deployment) => planned(measured, deployment))),
  }
}

function planned(measured: Measured, deployment: Deployment): readonly string[] {
  const { name, isSpread, fillings: filled, rotations: rotated } = measured
  const { tenants, processes, holders } = deployment
  const who = `${name}: ${count(tenants)} tenants, ${processes} processes, each tenant served by ${holders}`
  const { heapBytes, storeBytes, requests, operations, cores } = needs(measuresOf(measured), deployment)
  const ofCost = costDeviations(rotated).filter((each) => each !== undefined)
  const ofLine = (what: Kept) => lineDeviations(filled, what).filter((each) => each !== undefined)
  const bytes = rangeOf(storeBytes, ofLine('storeBytes'))
  const busiest = rangeOf(cores.busiest, ofCost)
  const nodes = (needed: NodeNeeds) => (isSpread ? shards(needed) : coresOfOne(needed))
  const least = nodes({ storeBytes: bytes.least, cores: busiest.least })
  const greatest = nodes({ storeBytes: bytes.greatest, cores: busiest.greatest })
  const number = least === greatest ? count(least) : `${count(least)} to ${count(greatest)}`
  return [
    who,
    between(rangeOf(heapBytes, ofLine('heapBytes')), 1e9),
    between(bytes, 1e9),
    load(requests),
    load(operations),
    between(rangeOf(cores.mean, ofCost)),
    between(busiest),
    isSpread ? `${number} shards` : `one with ${number} cores`,
  ]
}

/** What a token takes in memory, by how many there are. */
export function memory(all: readonly Measured[]): Chart {
  const bars = all.flatMap(({ name, fillings: filled }) =>
    filled.map(({ tenants, bytesPerToken }) => ({ name: `${name}, ${count(tenants)} tenants`, value: bytesPerToken, isOurs: true })),
  )
  return { name: 'scale-memory', title: 'Memory of a token in one process, beyond its value', unit: 'bytes', bars }
}

function load({ mean, busiest }: Load): string {
  return `${figure(mean)} and ${figure(busiest)}`
}

function between({ least, greatest }: Range, unit = 1): string {
  const [from, to] = [figure(least / unit), figure(greatest / unit)]
  return from === to ? from : `${from} to ${to}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** A deviation, with its sign; empty if there is none. */
function off(share: number | undefined): string {
  return share === undefined ? '' : `${share < 0 ? '−' : '+'}${figure(Math.abs(100 * share))} %`
}
