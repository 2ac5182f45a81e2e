import type { Benchmark } from '../benchmark.ts'
import { RESOLUTION_MS } from '../measure/loop-delay.ts'
import type { Limit } from '../report/report.ts'
import { type Filling, fill, type Rotation, rotate, type Size, startPlatform } from './fleet.ts'
import type { Deployment } from './model.ts'
import { type Place, startServer } from './places.ts'
import { check, fillings, type Measured, memory, plan, rotations } from './tables.ts'

/** A fleet, and how fast its time passes: about as fast as two cores can follow. */
type Members = Pick<Size, 'processes' | 'speed'>

interface Plan {
  readonly tenants: number
  readonly fleets: readonly Members[]
}

const FLEET = 8
const LARGEST = 100_000

const PLANS: Readonly<Record<Place['kind'], readonly Plan[]>> = {
  redis: [
    { tenants: 1_000, fleets: [alone(120), together(120)] },
    { tenants: 10_000, fleets: [alone(60), together(40)] },
    { tenants: LARGEST, fleets: [alone(10), together(6)] },
  ],
  // An operation takes ten times the processor time that it takes Redis.
  postgres: [
    { tenants: 1_000, fleets: [alone(120), together(60)] },
    { tenants: 10_000, fleets: [alone(40), together(6)] },
    { tenants: 30_000, fleets: [alone(15)] },
  ],
}

/** No process with more than a million tokens, and each tenant on two; and any process for any tenant. */
const DEPLOYMENTS: readonly Deployment[] = [
  { tenants: 10_000_000, processes: 20, holders: 2 },
  { tenants: 10_000_000, processes: 8, holders: 8 },
]

/** Most that a token may take beyond its value, bytes. */
const MOST_BYTES = 1_024
const MOST_UNEVEN = 1.5
/** Of one process, 99th of 100 looks at its event loop during a rotation, milliseconds late. */
const MOST_LATE_MS = 20
/** A lease that runs out on a machine with too few processors costs a request more. */
const MOST_REQUESTS = 1.01

const HOW = `The tokens of many tenants, fetched by one process; then taken over and renewed by one process, and by ${FLEET} that hold all of them, as
they do behind a load balancer. Bytes are of the heap after a collection, less the heap before the first token, without the characters of
the values: handle, credential, state, alarm, and both names by which it is found; what is loaded once is in it too, so a few tenants look
dear. Store, platform and all processes share the machine; an operation of the store has 10 s here. A token lives two hours, and is
renewed at a moment drawn from ten minutes, from 29 to 19 before its end. Nobody can wait for that: what core drew for each token is kept,
and the stored tokens are published again as if the first 91 minutes had passed at once and the rest went by faster, by the factor under
“time”. So all begin in one moment, as after a cold start; minutes are those of the tokens' life. Nobody calls meanwhile: each process
asks the store for each token when it is due there. The event loop is looked at every ${RESOLUTION_MS} ms, and what is beyond those is how
late it was; it is of the process with the longest, and with ${FLEET} processes on few processors mostly the wait for one of these.
Renewals a second are until the last process has the last token. A busiest minute
is held against the mean of the ten minutes that renewals are drawn from: they are spread over these, and over the 29 of the whole window, in most
of which nothing is due, an even spread is 2.9 times the mean.

The model: a line through the heap, and through what the store keeps, by the number of tokens; a renewal is one request to the upstream,
and to the store one claim of each process that serves the tenant and one publication; the store's processor time for an operation is that
of the largest rotation; tokens are renewed every 96 minutes in the mean, and after a cold start all within ten. What it says of one measurement is
said by the others alone: the line is that through the two other sizes, the processor time that of another rotation. Nodes: of a Redis Cluster a shard has one
core, of which at most half is busy in the busiest minute, and 10 GB; PostgreSQL has one node that takes writes, half of whose cores are busy then. It keeps dead rows
until it is vacuumed. Each of these was measured once.`

export const scale: Benchmark = {
  name: 'scale',
  async measure({ ownOnly, progress }) {
    const all = ownOnly
      ? [await measureStore('redis', [{ tenants: LARGEST, fleets: [alone(10)] }], progress)]
      : [await measureStore('redis', PLANS.redis, progress), await measureStore('postgres', PLANS.postgres, progress)]
    return {
      title: 'Many tenants',
      how: HOW,
      tables: ownOnly ? [] : [...all.flatMap((each) => [fillings(each), rotations(each)]), check(all), plan(all, DEPLOYMENTS)],
      charts: ownOnly ? [] : [memory(all)],
      limits: all.flatMap(limits),
    }
  },
}

function alone(speed: number): Members {
  return { processes: 1, speed }
}

function together(speed: number): Members {
  return { processes: FLEET, speed }
}

async function measureStore(kind: Place['kind'], plans: readonly Plan[], progress: (what: string) => void): Promise<Measured> {
  const filled: (Filling & { readonly tenants: number })[] = []
  const rotated: Rotation[] = []
  let name: string = kind
  for (const { tenants, fleets: members } of plans) {
    const server = await startServer(kind)
    name = server.name
    try {
      const platform = await startPlatform()
      try {
        progress(`${name}, ${tenants} tenants`)
        filled.push({ tenants, ...(await fill(server, platform, tenants)) })
        for (const { processes, speed } of members) {
          progress(`${name}, ${tenants} tenants, renewed by ${processes}`)
          rotated.push(await rotate(server, platform, { tenants, processes, speed }))
        }
      } finally {
        await platform.end()
      }
    } finally {
      await server.stop()
    }
  }
  return { name, isSpread: kind === 'redis', fillings: filled, rotations: rotated }
}

/** What must hold of {@link LARGEST}. */
export function limits({ fillings: filled, rotations: rotated }: Measured): Limit[] {
  const ofLargest = <T extends { readonly tenants: number }>(rows: readonly T[]) => rows.filter(({ tenants }) => tenants === LARGEST)
  return [
    ...ofLargest(filled).map(({ tenants, bytesPerToken }) => ({
      what: `memory of a token to 1 KB, ${tenants} tenants`,
      ratio: bytesPerToken / MOST_BYTES,
      most: 1,
    })),
    ...ofLargest(rotated).flatMap(({ tenants, processes, requests, evenness, delay }) => {
      const who = `${tenants} tenants, processes: ${processes}`
      // More processes than processors wait for each other.
      const late =
        processes > 1
          ? []
          : [{ what: `event loop late by ${MOST_LATE_MS} ms, ${who}`, ratio: delay.p99Ms / MOST_LATE_MS, most: 1, isOfTime: true as const }]
      return [
        ...late,
        { what: `busiest minute of renewals to the mean of those they are drawn from, ${who}`, ratio: evenness.toDrawn, most: MOST_UNEVEN },
        { what: `upstream requests to renewals, ${who}`, ratio: requests / tenants, most: MOST_REQUESTS },
      ]
    }),
  ]
}
