import { startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { median } from '../measure/statistics.ts'
import type { Chart } from '../report/report.ts'
import { LEAST, limits, MOST, type Own, STALL_MS } from './limits.ts'
import { CALLERS_A_TICK, TICK_MS } from './load.ts'
import { microseconds, QUANTILES } from './quantiles.ts'
import { type Run, run } from './run.ts'
import { durationMs, FETCH_MS } from './schedule.ts'
import { counts, figures, type Named, noticed, type Other, ratios, times } from './tables.ts'

interface Subject {
  readonly contender: string
  readonly isStill: boolean
  /** What is measured, beyond the library's name. */
  readonly note: string
}

const STILL: Subject = { contender: 'tokenwell', isStill: true, note: ', nothing renewed' }
const ROTATING: Subject = { contender: 'tokenwell', isStill: false, note: '' }
const AGAIN: Subject = { contender: 'tokenwell', isStill: true, note: ', nothing renewed, again' }
/** With renewals between the two without: what changes little by little is on both sides. */
const OWN = [STILL, ROTATING, AGAIN]
/** Each with its own run without renewals, which may be slow by itself. */
const OTHERS: readonly Other<Subject>[] = [
  {
    still: { contender: 'bentocache', isStill: true, note: ', nothing renewed' },
    rotating: { contender: 'bentocache', isStill: false, note: '' },
  },
]

const PROCESSES = 4
const ROTATIONS = 20
const FEW_ROTATIONS = 2
/** Others are not held to a limit: so many rounds show what they do. */
const OTHERS_ROUNDS = 3

const DUE = ((PROCESSES * CALLERS_A_TICK * durationMs(ROTATIONS)) / TICK_MS).toLocaleString('en-US')

const HOW = `${PROCESSES} processes on one Redis under load, ten callers every millisecond in each, while ${ROTATIONS} tokens, or one more, are renewed one after the
other. The upstream, an HTTP server in a process of its own, takes ${FETCH_MS / 1_000} s for each. Callers come whether or not those before them have been served, and all
come who are due, ${DUE} in a round: those who were due while the event loop stood still come when it turns again. Two times are measured of each. From the call
to its outcome is what the library takes for it. From the moment at which the caller was due is that and the time for which the event loop had no turn for the call,
because the library or anything else kept it, or because the system's timer, to the millisecond, or its scheduler was late: that much is in every row, so read the ratios and the
longest. A caller is blocked when its call is not settled by the time the event loop turns, as one that finds its token in memory is: bentocache's wait for a turn where another fetches. bentocache
serves what is stale while it fetches the next one, from the same moment of a token's life. Figures are medians of the rounds, with the least and the greatest of them
where they differ; others than ours have no more than ${OTHERS_ROUNDS} rounds. A request counts when it begins, a token when the last process serves it.
Each process has used Node's \`fetch\` once before it is measured: Node loads it when it is first used, which keeps the event loop for 30 to 44 ms.

The same run with tokens that do not end shows what the machine, and the library itself, do to any call. Ours is measured twice in each round, before and after the one with renewals, which is compared with the mean of the two;
the ratio of the second to the first is noise. bentocache's is measured once in each of its rounds, before the one with renewals, which is compared with that. These ratios, in the tables and in the limits, are of what was
measured in the same round, and the median of the rounds. At most those of the limits may be as great as the noise was in any round, but no less
than ${LEAST} × and no more than ${MOST} ×. That does not hide a stall that comes in a single round:
the longest wait of all rounds may be ${STALL_MS} ms longer than the longest with nothing renewed, and that no more than ${STALL_MS} ms, so a library that keeps the event loop for ${2 * STALL_MS} ms once breaks a limit.
One blocked caller is too many.`

export const rotation: Benchmark = {
  name: 'rotation',
  title: 'Renewals under load',
  how: HOW,
  programs: [new URL('run.ts', import.meta.url)],
  async measure({ rounds, ownOnly, progress }) {
    const rotations = ownOnly ? FEW_ROTATIONS : ROTATIONS
    const others = ownOnly ? [] : OTHERS
    const ofOthers = others.flatMap(({ still, rotating }) => [still, rotating])
    const runs = new Map<Subject, Run[]>([...OWN, ...ofOthers].map((subject) => [subject, []]))
    const redis = await startRedis()
    try {
      for (let round = 1; round <= rounds; round++) {
        for (const [subject, measured] of runs) {
          if (ofOthers.includes(subject) && round > OTHERS_ROUNDS) continue
          const { contender, isStill, note } = subject
          progress(`round ${round} of ${rounds}, ${contender}${note}`)
          const outcome = await run({ contender, isStill, processes: PROCESSES, redisUrl: redis.url, rotations })
          if (subject === ROTATING && outcome.rotations < rotations) {
            throw new Error(`${outcome.name}: a process came to serve ${outcome.rotations} new tokens, of ${rotations}`)
          }
          measured.push(outcome)
        }
      }
    } finally {
      await redis.stop()
    }
    const of = (subject: Subject) => runs.get(subject) ?? []
    const own: Own = { still: of(STILL), again: of(AGAIN), rotating: of(ROTATING) }
    const all: Named = new Map(Array.from(runs, ([subject, rounds]) => [nameOf(subject, rounds), rounds]))
    const compared = others.map(({ still, rotating }) => ({ still: of(still), rotating: of(rotating) }))
    return {
      tables: [
        counts(all),
        ...(['latencies', 'waits'] as const).flatMap((measure) => [ratios(measure, own, compared), times(measure, all)]),
        noticed(own),
      ],
      charts: ownOnly ? [] : [chart(runs)],
      limits: limits(own),
      figures: figures(all),
    }
  },
}

function chart(runs: ReadonlyMap<Subject, readonly Run[]>): Chart {
  const shown = [...runs].filter(([subject]) => subject !== AGAIN)
  const bars = shown.flatMap(([subject, rounds]) =>
    QUANTILES.map(({ name, share }) => ({
      name: `${nameOf(subject, rounds)}: ${name}`,
      value: median(microseconds(rounds, 'latencies', share)),
      isOurs: subject === ROTATING,
    })),
  )
  return { name: 'rotation', title: 'A call while tokens are renewed', unit: 'µs', bars }
}

function nameOf({ note }: Subject, [first]: readonly Run[]): string {
  return `${first?.name ?? ''}${note}`
}
