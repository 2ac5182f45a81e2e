import { inProcess } from '../measure/in-process.ts'
import type { LoopDelay } from '../measure/loop-delay.ts'
import { moment } from '../measure/moment.ts'
import { processorMs } from '../measure/processor-time.ts'
import { type Served, startFleet, startServed } from '../measure/served.ts'
import type { Aged, AgeOrder } from './age.ts'
import { dueInASecond, type Evenness, evenness } from './evenness.ts'
import type { Filled, FillOrder } from './fill.ts'
import type { Server } from './places.ts'
import type { Address, Passing } from './platform.ts'
import { FRESH_MINUTES, minuteMs, WINDOW_MINUTES } from './schedule.ts'
import type { Order } from './tenants.ts'
import type { About, Rotated, Stretch } from './worker.ts'

/** So many processes with the tokens of so many tenants, all in each. */
export interface Size {
  readonly tenants: number
  readonly processes: number
  /** How many times as fast time passes while the tokens are renewed. */
  readonly speed: number
}

/** What came of one rotation of all tokens. */
export interface Rotation extends Size {
  /** Of each process in the mean, for all tokens, their values included. */
  readonly heapBytes: number
  /** Beyond their values. */
  readonly bytesPerToken: number
  /** Each of the process in which it was the longest. */
  readonly delay: LoopDelay
  /** The p99 of each process. */
  readonly lateMs: readonly number[]
  /** To the upstream. */
  readonly requests: number
  readonly evenness: Evenness
  /** Most of what was drawn, by the mean: see {@link dueInASecond}. */
  readonly dueInASecond: number
  /** Of the store, by all processes. */
  readonly operations: number
  /** From when the first token may be due to when the last process has the last new one. */
  readonly tookMs: number
  /** Of the store's processors, for each operation. */
  readonly serverMicroseconds: number
}

export interface Filling {
  readonly heapBytes: number
  readonly bytesPerToken: number
  readonly perSecond: number
  /** What the store keeps for all tokens, bytes. */
  readonly storeBytes: number
}

type Platform = Served<Address, Passing, readonly number[]>

export function startPlatform(): Promise<Platform> {
  return startServed(new URL('platform.ts', import.meta.url), undefined)
}

const EXPOSE_GC = ['--expose-gc']

/** Has a token fetched for each tenant, by one process. */
export async function fill(server: Server, platform: Platform, tenants: number): Promise<Filling> {
  const { url: platformUrl, ticket } = platform.about
  const order: FillOrder = { place: server.place, platformUrl, tenants, ticket }
  const before = await server.kept()
  const { heapBytes, characters, tookMs } = await inProcess<Filled>(new URL('fill.ts', import.meta.url), order, EXPOSE_GC)
  return {
    heapBytes,
    bytesPerToken: (heapBytes - characters) / tenants,
    perSecond: tenants / (tookMs / 1_000),
    storeBytes: (await server.kept()) - before,
  }
}

type Fleet = readonly Served<About, Stretch, Rotated>[]

/** A fleet that has taken over tokens of which the first may be due at `from`, which is still to come. */
async function takeOver(order: Order, { processes, speed }: Size): Promise<Aged & { readonly fleet: Fleet }> {
  // On a machine that is busy with something else it may take longer than it seemed.
  for (let patience = 1; ; patience *= 2) {
    const ageing: AgeOrder = { ...order, speed, processes, patience }
    const aged = await inProcess<Aged>(new URL('age.ts', import.meta.url), ageing)
    const fleet = await startFleet<About, Stretch, Rotated>(new URL('worker.ts', import.meta.url), order, processes, EXPOSE_GC)
    if (fleet.every(({ about }) => about.at < aged.from)) return { fleet, ...aged }
    await Promise.all(fleet.map((member) => member.end()))
  }
}

/** Lets a fleet take over the tokens of all tenants, and renew each of them. */
export async function rotate(server: Server, platform: Platform, size: Size): Promise<Rotation> {
  const { tenants, processes, speed } = size
  await platform.ask({ ms: FRESH_MINUTES * minuteMs(1) })
  const { fleet, from, due } = await takeOver({ place: server.place, platformUrl: platform.about.url, tenants }, size)
  try {
    // What came too early to be measured is not counted.
    await platform.ask({ ms: 0 })
    const until = from + WINDOW_MINUTES * minuteMs(speed)
    const rotating = Promise.all(fleet.map((member) => member.ask({ from, until })))
    // What the server does before the first is due is not of the rotation.
    const [used, rotated] = await Promise.all([moment(from).then(() => processorMs(server.pid)), rotating])
    const usedMs = (processorMs(server.pid) ?? Number.NaN) - (used ?? Number.NaN)
    const moments = await platform.ask({ ms: 0 })
    const operations = sum(rotated.map((each) => each.operations))
    const held = fleet.map(({ about }) => about)
    return {
      ...size,
      heapBytes: sum(held.map(({ heapBytes }) => heapBytes)) / processes,
      bytesPerToken: sum(held.map(({ heapBytes, characters }) => heapBytes - characters)) / processes / tenants,
      delay: {
        p99Ms: Math.max(...rotated.map(({ delay }) => delay.p99Ms)),
        longest: rotated.map(({ delay }) => delay.longest).reduce((one, other) => (other.lateMs > one.lateMs ? other : one)),
      },
      lateMs: rotated.map(({ delay }) => delay.p99Ms),
      dueInASecond: dueInASecond(due),
      requests: moments.length,
      evenness: evenness(moments, from, speed),
      operations,
      tookMs: Math.max(...rotated.map(({ at }) => at)) - from,
      serverMicroseconds: (usedMs * 1_000) / operations,
    }
  } finally {
    await Promise.all(fleet.map((member) => member.end()))
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
