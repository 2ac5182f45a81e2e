import { figure } from '../report/figure.ts'
import type { Table } from '../report/report.ts'
import type { Filling, Rotation } from './fleet.ts'
import { at, type Deployment, deviation, fit, type Load, type Measures, needs, operationsPerRenewal } from './model.ts'
import { JITTER_MINUTES } from './schedule.ts'

/** What was measured of one store, by size. */
export interface Measured {
  /** The store's. */
  readonly name: string
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

function measuresOf({ fillings: filled, rotations: rotated }: Measured): Measures {
  const largest = rotated.reduce((a, b) => (b.operations > a.operations ? b : a))
  return {
    heapBytes: fit(filled.map(({ tenants, heapBytes }) => ({ tokens: tenants, measured: heapBytes }))),
    storeBytes: fit(filled.map(({ tenants, storeBytes }) => ({ tokens: tenants, measured: storeBytes }))),
    serverMicroseconds: largest.serverMicroseconds,
  }
}

/** The model's predictions of what was measured, each with what is wrong about it. */
export function check(all: readonly Measured[]): Table {
  const rows = all.flatMap((measured) => {
    const { name, fillings: filled, rotations: rotated } = measured
    const model = measuresOf(measured)
    const memory = filled.map(({ tenants, heapBytes, storeBytes }) => [
      `${name}, ${count(tenants)} fetched`,
      off(at(model.heapBytes, tenants), heapBytes),
      off(at(model.storeBytes, tenants), storeBytes),
      '',
      '',
      '',
    ])
    const renewed = rotated.map(({ tenants, processes, operations, requests, evenness }) => [
      `${name}, ${count(tenants)} renewed by ${processes}`,
      '',
      '',
      off(tenants * operationsPerRenewal(processes), operations),
      off(tenants, requests),
      off(tenants / JITTER_MINUTES, evenness.busiest),
    ])
    return [...memory, ...renewed]
  })
  return {
    title: 'What the model says, less what was measured',
    columns: ['', 'heap of a process', 'bytes in the store', 'store operations', 'upstream requests', 'in the busiest minute'],
    rows,
  }
}

/** What the model says of sizes that nobody measured. */
export function plan(all: readonly Measured[], deployments: readonly Deployment[]): Table {
  const rows = all.flatMap((measured) =>
    deployments.map((deployment) => {
      const { tenants, processes, holders } = deployment
      const { heapBytes, storeBytes, requests, operations, cores } = needs(measuresOf(measured), deployment)
      return [
        `${measured.name}: ${count(tenants)} tenants, ${processes} processes, each tenant served by ${holders}`,
        gigabytes(heapBytes),
        gigabytes(storeBytes),
        load(requests),
        load(operations),
        load(cores),
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
    ],
    rows,
  }
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
