import { startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { countedQuantile, howMany } from '../measure/histogram.ts'
import { median, ratio } from '../measure/statistics.ts'
import { figure } from '../report/figure.ts'
import type { Chart, Limit, Table } from '../report/report.ts'
import { type Run, run } from './run.ts'
import { FETCH_MS } from './schedule.ts'

interface Subject {
  readonly contender: string
  readonly isStill: boolean
}

const STILL: Subject = { contender: 'tokenwell', isStill: true }
const ROTATING: Subject = { contender: 'tokenwell', isStill: false }
const OTHERS: readonly Subject[] = [{ contender: 'bentocache', isStill: false }]

const PROCESSES = 4
/**
 * Room for what differs from run to run: without any renewal the longest of millions of calls is two to three times as long in one round as
 * in another. A caller who waits for the upstream would be longer by hundreds.
 */
const TAIL_ROOM = { p999: 2, longest: 4 }
const ROTATIONS = 20
const FEW_ROTATIONS = 2

const QUANTILES = [
  { name: 'p50', share: 0.5 },
  { name: 'p99', share: 0.99 },
  { name: 'p99.9', share: 0.999 },
  { name: 'max', share: 1 },
]

const HOW = `${PROCESSES} processes on one Redis under load, ten callers every millisecond in each, while ${ROTATIONS} tokens, or one more, are renewed one after the
other. The upstream, an HTTP server in a process of its own, takes ${FETCH_MS / 1_000} s for each. Callers come whether or not those before them have been served;
the time is from the call to its outcome; what is due while the event loop stands still comes as one. A caller is blocked when its call is not
settled by the time the event loop turns, as one that finds its token in memory is: bentocache's wait for a turn where another fetches. The same run with tokens that do not end shows what the machine does to any call, and is the measure for the rest. bentocache
serves what is stale while it fetches the next one, from the same moment of a token's life. Figures are medians of the rounds; blocked callers
are those of all rounds. A request counts when it begins, a token when the last process serves it. The longest of millions of calls is a matter
of when the collector or another process came in between: it varies by the factor that its rounds show.`

export const rotation: Benchmark = {
  name: 'rotation',
  async measure({ rounds, ownOnly, progress }) {
    const subjects = [STILL, ROTATING, ...(ownOnly ? [] : OTHERS)]
    const rotations = ownOnly ? FEW_ROTATIONS : ROTATIONS
    const runs = new Map<Subject, Run[]>(subjects.map((subject) => [subject, []]))
    const redis = await startRedis()
    try {
      for (let round = 1; round <= rounds; round++) {
        for (const subject of subjects) {
          progress(`round ${round} of ${rounds}, ${subject.contender}${subject.isStill ? ', nothing renewed' : ''}`)
          const measured = await run({ ...subject, processes: PROCESSES, redisUrl: redis.url, rotations })
          if (!subject.isStill && measured.rotations < rotations) {
            throw new Error(`${measured.name}: a process came to serve ${measured.rotations} new tokens, of ${rotations}`)
          }
          runs.get(subject)?.push(measured)
        }
      }
    } finally {
      await redis.stop()
    }
    return {
      title: 'Renewals under load',
      how: HOW,
      tables: [table(runs)],
      charts: ownOnly ? [] : [chart(runs)],
      limits: limits(runs.get(STILL) ?? [], runs.get(ROTATING) ?? []),
    }
  },
}

function table(runs: ReadonlyMap<Subject, readonly Run[]>): Table {
  const columns = ['µs', 'calls', ...QUANTILES.map(({ name }) => name), 'rounds', 'blocked callers', 'new tokens', 'requests']
  const rows = Array.from(runs, ([subject, rounds]) => {
    const longest = microseconds(rounds, 1)
    return [
      nameOf(subject, rounds),
      figure(median(rounds.map(({ latencies }) => howMany(latencies)))),
      ...QUANTILES.map(({ share }) => figure(median(microseconds(rounds, share)))),
      `${figure(Math.min(...longest))} to ${figure(Math.max(...longest))}`,
      figure(sum(rounds.map(({ blocked }) => blocked))),
      figure(median(rounds.map(({ rotations }) => rotations))),
      figure(median(rounds.map(({ requests }) => requests))),
    ]
  })
  return { title: '', columns, rows }
}

function chart(runs: ReadonlyMap<Subject, readonly Run[]>): Chart {
  const bars = Array.from(runs, ([subject, rounds]) =>
    QUANTILES.map(({ name, share }) => ({
      name: `${nameOf(subject, rounds)}: ${name}`,
      value: median(microseconds(rounds, share)),
      isOurs: subject === ROTATING,
    })),
  )
  return { name: 'rotation', title: 'A call while tokens are renewed', unit: 'µs', bars: bars.flat() }
}

/** Of runs without and with renewals, in turn. */
export function limits(still: readonly Run[], rotating: readonly Run[]): Limit[] {
  const rotations = sum(rotating.map((each) => each.rotations))
  const compared = (share: number) => ratio(microseconds(rotating, share), microseconds(still, share)).median
  return [
    { what: 'blocked callers to renewals', ratio: sum(rotating.map(({ blocked }) => blocked)) / rotations, most: 0, isExact: true },
    { what: 'p99.9 of get() to the same without renewals', ratio: compared(0.999), most: TAIL_ROOM.p999, isLoose: true },
    { what: 'longest get() to the same without renewals', ratio: compared(1), most: TAIL_ROOM.longest, isLoose: true },
  ]
}

/** Of each round. */
function microseconds(rounds: readonly Run[], share: number): number[] {
  return rounds.map(({ latencies }) => countedQuantile(latencies, share) / 1_000)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function nameOf({ isStill }: Subject, [first]: readonly Run[]): string {
  return `${first?.name}${isStill ? ', nothing renewed' : ''}`
}
