import type { Benchmark } from '../benchmark.ts'
import { RESOLUTION_MS } from '../measure/loop-delay.ts'
import type { Limit } from '../report/report.ts'
import { type Filling, fill, type Rotation, rotate, type Size, startPlatform } from './fleet.ts'
import type { Deployment } from './model.ts'
import { type Place, startServer } from './places.ts'
import { check, coefficients, figures, fillings, type Measured, memory, plan, rotations } from './tables.ts'

/**
 * A fleet, and how fast its time passes: as fast as two cores can follow, and slower for the largest, so that their processes wait for the store
 * and not for a core.
 */
type Members = Pick<Size, 'processes' | 'speed'>

interface Plan {
  readonly tenants: number
  readonly fleets: readonly Members[]
}

const FLEET = 8
/** What a token may take is said of so many. */
const MANY = 100_000

const PLANS: Readonly<Record<Place['kind'], readonly Plan[]>> = {
  redis: [
    { tenants: 1_000, fleets: [alone(120), together(120)] },
    { tenants: 10_000, fleets: [alone(60), together(40)] },
    // As in life: what is held to milliseconds is the most that a process has to do at once.
    { tenants: MANY, fleets: [alone(5), together(1)] },
  ],
  // An operation takes ten times the processor time that it takes Redis.
  postgres: [
    { tenants: 1_000, fleets: [alone(120), together(60)] },
    { tenants: 10_000, fleets: [alone(40), together(6)] },
    // A minute of 20 s: a pause of the disk of a few seconds is a small part of it.
    { tenants: 30_000, fleets: [alone(3)] },
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
/** In 99 of 100 moments of a rotation the event loop is late by no more, in the process where it is the longest, milliseconds. */
const MOST_LATE_MS = 20
/** A lease that runs out on a machine with too few processors costs a request more. */
const MOST_REQUESTS = 1.01

const HOW = `The tokens of many tenants, fetched by one process; then taken over and renewed by one process, and by ${FLEET} that hold all of them, as
they do behind a load balancer. Each row was measured once: but for how late several processes were, nothing here is a median, and no figure has a spread of its own. Bytes are of
the heap after a collection, less the heap before the first token, without the characters of the values: handle, credential, state, alarm, and both names by which it is found; what is loaded once is in it too, so a few tenants look
dear, and the limit of a token's memory is for ${MANY.toLocaleString('en-US')}. Store, platform and all processes share the machine; an operation of the store
has 10 s here. The store's server is as tests start it: Redis keeps nothing on disk (no snapshots, no append-only file), and PostgreSQL
writes with fsync and full_page_writes off and 128 MB of shared buffers. A token lives two hours, and is
renewed at a moment drawn from ten minutes, from 29 to 19 before its end. Nobody can wait for that: what core drew for each token is kept,
and the stored tokens are published again as if the first 91 minutes had passed at once and the rest went by faster, by the factor beside
the number of processes. So all begin in one moment, as after a cold start; minutes are those of the tokens' life. Nobody calls meanwhile:
each process asks the store for each token when it is due there. The event loop is looked at every ${RESOLUTION_MS} ms, and what is beyond
those is how late it was. p99 is of time and not of looks: in 99 of 100 moments it was late by no more, so that a caller who comes at any moment waits no longer, and a stall of a second counts for
a second; of several processes it is their median, with the least and the greatest, which is what is limited. Beside the longest of all of them is for how much of it the process's main thread could have run and had no
core, and when it ended, from the moment at which the first token may be due. Renewals a second are until the last process has the last token. A busiest minute
is held against the mean of the ten minutes that renewals are drawn from: they are spread over these, and over the 29 of the whole window, in most
of which nothing is due, an even spread is 2.9 times the mean. What is due in a second of the tokens' life was drawn, whatever the machine makes of it: chance alone makes the busiest of 600 seconds a quarter busier than
the mean with ${MANY.toLocaleString('en-US')} tokens, and the busier the fewer there are. A pause of the store is a greater part of a minute the faster time passes: at
20 times the speed a minute is 3 s, at 5 times 12 s.

In life time passes at 1 ×. The faster it passes here, the more work falls into a second of the same two cores, on which store, platform and all processes are. 100,000 tenants by ${FLEET} processes
were once late by 8.5 ms at 2 ×, by 21.7 at 6 ×, and on a slower day by 49.9 at 4 × (p99 of looks, each counted alike). The largest sizes are slow enough to be held to ${MOST_LATE_MS} ms; the smaller ones pass at up to 120 ×, and those with ${FLEET} processes
are above that for this reason. The longest is a single look of one process. In a run of 10,000 by ${FLEET} at 6 × while the machine was busy with other work as well, it was 1,195 ms, for 1,192 of which the
thread could have run and had no core. That did not come when all began: it ended 24 s after that. Five other processes stood still for 332 to 663 ms at about the same time, and all eight had
collected garbage in the three seconds before.

The model: a line through the heap, and through what the store keeps, by the number of tokens; a renewal is one request to the upstream,
and to the store one claim of each process that serves the tenant and one publication. The store's processor time is so much once for a
rotation, so much for each renewal, and so much for each process that holds the renewed token, with the least relative deviations in square
from all rotations, which are in the table of the model; what it is once has no part in what ten million would take. Tokens are renewed every 96 minutes in the mean, and after a
cold start all within ten, each minute alike: with many tokens chance makes no minute much busier, but a store that pauses does. What the model says
of one measurement, in the table of what is wrong about it, is said by the others alone. What an operation costs Redis is no constant, as the model has it: the more come in one packet, the more it reads and answers at once. In a run of 10,000 by ${FLEET} at 20 ×, while the machine was busy with
other work as well, 13 operations came to a read of a connection, and took its processor 40 µs each; at 6 × in the same run 1.6 came to a read, and took 108 µs each. One figure for both is too much for the one and too little for the other. Ranges are what it says of ten million, divided by one and the least and by one and the greatest
of these deviations, those of the smallest size included. Nodes: of a Redis Cluster a
shard has one core, of which at most half is busy after a cold start, and 10 GB; PostgreSQL has one node that takes writes, half of whose cores
are busy then. It keeps dead rows until it is vacuumed. Not in the model: what a store pays for fsync, an append-only file and copies of a
node; that every process is told of every new token, though here all of them hold it; and that a Redis Cluster passes that on to each of its
nodes.`

export const scale: Benchmark = {
  name: 'scale',
  title: 'Many tenants',
  how: HOW,
  programs: [new URL('fleet.ts', import.meta.url)],
  isOnce: true,
  async measure({ ownOnly, progress }) {
    const all = ownOnly
      ? [await measureStore('redis', [{ tenants: MANY, fleets: [alone(5)] }], progress)]
      : [await measureStore('redis', PLANS.redis, progress), await measureStore('postgres', PLANS.postgres, progress)]
    return {
      tables: ownOnly
        ? []
        : [...all.flatMap((each) => [fillings(each), rotations(each)]), coefficients(all), check(all), plan(all, DEPLOYMENTS)],
      charts: ownOnly ? [] : [memory(all)],
      limits: all.flatMap(limits),
      figures: all.flatMap(figures),
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

/** What must hold of the largest size; a token's memory, and what is due in a second, only if it has {@link MANY}: over fewer what is loaded once is not spread, and chance is too great. */
export function limits({ name, isSpread, fillings: filled, rotations: rotated }: Measured): Limit[] {
  const largest = Math.max(...[...filled, ...rotated].map(({ tenants }) => tenants))
  // Only one store is measured in a hurry: its limits are those that are named without it.
  const tenantsOf = (tenants: number) => (isSpread ? `${tenants} tenants` : `${tenants} tenants of ${name}`)
  const ofLargest = <T extends { readonly tenants: number }>(rows: readonly T[]) => rows.filter(({ tenants }) => tenants === largest)
  const memoryOf = ({ tenants, bytesPerToken }: Pick<Rotation, 'tenants' | 'bytesPerToken'>, who: string): Limit[] =>
    tenants < MANY ? [] : [{ what: `memory of a token to 1 KB, ${who}`, ratio: bytesPerToken / MOST_BYTES, most: 1, isAmount: true }]
  const dueOf = ({ tenants, dueInASecond }: Rotation, who: string): Limit[] =>
    tenants < MANY
      ? []
      : [{ what: `most renewals due in a second to the mean of those they are drawn from, ${who}`, ratio: dueInASecond, most: MOST_UNEVEN }]
  return [
    ...ofLargest(filled).flatMap((each) => memoryOf(each, tenantsOf(each.tenants))),
    ...ofLargest(rotated).flatMap((each) => {
      const { tenants, processes, requests, evenness, delay } = each
      const who = `${tenantsOf(tenants)}, processes: ${processes}`
      return [
        ...memoryOf(each, who),
        { what: `event loop late by ${MOST_LATE_MS} ms, ${who}`, ratio: delay.p99Ms / MOST_LATE_MS, most: 1, isOfTime: true as const },
        { what: `busiest minute of renewals to the mean of those they are drawn from, ${who}`, ratio: evenness.toDrawn, most: MOST_UNEVEN },
        ...dueOf(each, who),
        { what: `upstream requests to renewals, ${who}`, ratio: requests / tenants, most: MOST_REQUESTS, isAmount: true as const },
      ]
    }),
  ]
}
