import { figure } from '../report/figure.ts'
import type { Chart, Table } from '../report/report.ts'
import type { Filling, Rotation } from './fleet.ts'
import {
  at,
  coresOfOne,
  type Deployment,
  deviation,
  fit,
  type Line,
  type Load,
  type Measures,
  needs,
  operationsPerRenewal,
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
      'tenants',
      'processes',
      'time',
      'bytes a token',
      'event loop late, p99 ms',
      'longest',
      'renewals a second',
      'requests a renewal',
      'store operations a renewal',
      'a second',
      'busiest minute to the mean of the ten',
      'of the 29',
    ],
    rows: rows.map((each) => {
      const { tenants, processes, speed, bytesPerToken, delay, requests, operations, evenness } = each
      const seconds = each.tookMs / 1_000
      return [
        count(tenants),
        String(processes),
        `${speed} ×`,
        figure(bytesPerToken),
        figure(delay.p99Ms),
        figure(delay.longestMs),
        figure(tenants / seconds),
        figure(requests / tenants),
        figure(operations / tenants),
        figure(operations / seconds),
        figure(evenness.toDrawn),
        figure(evenness.toWindow),
      ]
    }),
  }
}

type Filled = Measured['fillings'][number]

function line(filled: readonly Filled[], what: 'heapBytes' | 'storeBytes'): Line {
  return fit(filled.map((each) => ({ tokens: each.tenants, measured: each[what] })))
}

function largestOf(rotated: readonly Rotation[]): Rotation {
  return rotated.reduce((a, b) => (b.operations > a.operations ? b : a))
}

function measuresOf({ fillings: filled, rotations: rotated }: Measured): Measures {
  return {
    heapBytes: line(filled, 'heapBytes'),
    storeBytes: line(filled, 'storeBytes'),
    serverMicroseconds: largestOf(rotated).serverMicroseconds,
  }
}

/** The model's predictions of what was measured, each with what is wrong about it. What is predicted has no part in the prediction. */
export function check(all: readonly Measured[]): Table {
  const rows = all.flatMap(({ name, fillings: filled, rotations: rotated }) => {
    const memory = filled.map((each) => {
      const others = filled.filter((other) => other !== each)
      const predicted = (what: 'heapBytes' | 'storeBytes') =>
        others.length < 2 ? '' : off(at(line(others, what), each.tenants), each[what])
      return [`${name}, ${count(each.tenants)} fetched`, predicted('heapBytes'), predicted('storeBytes'), '', '', '', '']
    })
    const renewed = rotated.map((each) => {
      const { tenants, processes, operations, requests, evenness, serverMicroseconds } = each
      const others = rotated.filter((other) => other !== each)
      const predicted = tenants * operationsPerRenewal(processes)
      return [
        `${name}, ${count(tenants)} renewed by ${processes}`,
        '',
        '',
        off(predicted, operations),
        others.length === 0 ? '' : off(predicted * largestOf(others).serverMicroseconds, operations * serverMicroseconds),
        off(tenants, requests),
        off(tenants / JITTER_MINUTES, evenness.busiest),
      ]
    })
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

/** What the model says of sizes that nobody measured. */
export function plan(all: readonly Measured[], deployments: readonly Deployment[]): Table {
  const rows = all.flatMap((measured) =>
    deployments.map((deployment) => {
      const { tenants, processes, holders } = deployment
      const needed = needs(measuresOf(measured), deployment)
      const { heapBytes, storeBytes, requests, operations, cores } = needed
      return [
        `${measured.name}: ${count(tenants)} tenants, ${processes} processes, each tenant served by ${holders}`,
        gigabytes(heapBytes),
        gigabytes(storeBytes),
        load(requests),
        load(operations),
        load(cores),
        measured.isSpread ? `${shards(needed)} shards` : `one with ${coresOfOne(needed)} cores`,
      ]
    }),
  )
  return {
    title: 'What ten million would take',
    columns: [
      '',
      'GB of heap, each process',
      'GB in the store',
      'upstream requests a second',
      'store operations a second',
      "the store's cores that are busy",
      "the store's nodes",
    ],
    rows,
  }
}

/** What a token takes in memory, by how many there are. */
export function memory(all: readonly Measured[]): Chart {
  const bars = all.flatMap(({ name, fillings: filled }) =>
    filled.map(({ tenants, bytesPerToken }) => ({ name: `${name}, ${count(tenants)} tenants`, value: bytesPerToken, isOurs: true })),
  )
  return { name: 'scale-memory', title: 'Memory of a token in one process, beyond its value', unit: 'bytes', bars }
}

function load({ mean, busiest }: Load): string {
  return `${figure(mean)}, at most ${figure(busiest)}`
}

function gigabytes(bytes: number): string {
  return figure(bytes / 1e9)
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** With its sign. */
function off(predicted: number, measured: number): string {
  const share = 100 * deviation(predicted, measured)
  return `${share < 0 ? '−' : '+'}${figure(Math.abs(share))} %`
}
