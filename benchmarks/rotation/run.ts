import { randomUUID } from 'node:crypto'
import { type Counted, together } from '../measure/histogram.ts'
import { moment, sharedNow } from '../measure/moment.ts'
import { type Served, startFleet } from '../measure/served.ts'
import { startUpstream } from '../measure/upstream-client.ts'
import type { Met } from './load.ts'
import { durationMs, FETCH_MS, KEYS, SETTLING_MS } from './schedule.ts'
import type { About, Order, Stretch } from './worker.ts'

export interface Fleet {
  readonly contender: string
  readonly processes: number
  readonly redisUrl: string
  /** How long is measured: as long as so many renewals take. */
  readonly rotations: number
  /** The same, and nothing is renewed. */
  readonly isStill: boolean
}

/** What the callers of all processes met. */
export interface Run {
  readonly name: string
  /** From the call to what comes of it. */
  readonly latencies: Counted
  /** From the moment at which a caller was due. */
  readonly waits: Counted
  readonly blocked: number
  /** New tokens that each process has come to serve; of the process with the fewest. */
  readonly rotations: number
  /** To the upstream, meanwhile. */
  readonly requests: number
}

export async function run({ contender, processes, redisUrl, rotations, isStill }: Fleet): Promise<Run> {
  const upstream = await startUpstream({ latencyMs: FETCH_MS })
  let members: readonly Served<About, Stretch, Met>[] = []
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => `cli_${randomUUID()}_${index}`)
    const order: Order = { contender, redisUrl, upstreamUrl: upstream.about.url, keys, isStill }
    members = await startFleet(new URL('worker.ts', import.meta.url), order, processes)
    const requests = async () => {
      let sum = 0
      for (const key of keys) sum += await upstream.ask(key)
      return sum
    }
    const from = sharedNow() + FETCH_MS + SETTLING_MS
    const [met, before] = await Promise.all([
      Promise.all(members.map((member) => member.ask({ from, until: from + durationMs(rotations) }))),
      moment(from).then(requests),
    ])
    return {
      name: members[0]?.about.name ?? contender,
      latencies: together(met.map(({ latencies }) => latencies)),
      waits: together(met.map(({ waits }) => waits)),
      blocked: met.reduce((sum, { blocked }) => sum + blocked, 0),
      rotations: Math.min(...met.map(({ changes }) => changes)),
      requests: (await requests()) - before,
    }
  } finally {
    await Promise.all([...members, upstream].map((each) => each.end()))
  }
}
