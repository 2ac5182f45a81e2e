import { startPostgres, startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { countedQuantile } from '../measure/histogram.ts'
import { median, ratio } from '../measure/statistics.ts'
import { figure, spreadOf, timesOf } from '../report/figure.ts'
import { type Chart, type Figures, type Limit, limit, type Table } from '../report/report.ts'
import { type Outcome, type Size, stampede } from './stampede.ts'

/** What the others are compared with. */
const BARE = 'alone'
const OURS = ['tokenwell-redis', 'tokenwell-postgres']
const OTHERS = ['mutex-shared', 'mutex', 'bentocache', 'msal-node', 'node-sdk']

const SIZE: Size = { processes: 8, callers: 2_000, latencyMs: 50 }
/** Longest that the last of all callers may wait beyond what the upstream takes. */
const BEYOND_MS = 150
/** And how many times as long as with nothing shared it may take. */
const TIMES = 2.5

const HOW = `${SIZE.processes} processes with ${SIZE.callers.toLocaleString('en-US')} callers each want, in the same moment, a token that nobody has. The upstream is an HTTP server in a
process of its own that takes ${SIZE.latencyMs} ms, the same for all. The processes are up and have rehearsed with other tokens, so everything is loaded, compiled
and connected. Counted are the requests for the token, until half a second after all have been served; the time is from that moment to the last caller who has a token or an error in any process, and what a caller
waits from that moment, too; it is to be short enough in each round. All share
one Redis, or PostgreSQL: it is the second level and the bus of bentocache, the cache that the official SDK and MSAL are given, and holds the lock
of redis-semaphore, which is taken between two looks for the token, by every caller or once for each process; who waits for that lock
gives up after 10 s. They are compared with a request of each process and nothing shared, in the same round. The processes are started anew for each round; figures are
medians of the rounds, with the least and the greatest of them where they differ. Whoever left a caller without a token in any round is in the table, but not in the chart of the time: it did not
serve all. Where there are fewer processors than processes, most of the time is that of processes taking turns.`

export const coldStampede: Benchmark = {
  name: 'stampede',
  title: 'A cold stampede',
  how: HOW,
  programs: [new URL('stampede.ts', import.meta.url)],
  async measure({ rounds, ownOnly, progress }) {
    const contenders = [BARE, ...OURS, ...(ownOnly ? [] : OTHERS)]
    const redis = await startRedis()
    try {
      const postgres = await startPostgres()
      try {
        const outcomes = new Map<string, Outcome[]>(contenders.map((contender) => [contender, []]))
        for (let round = 1; round <= rounds; round++) {
          for (const contender of contenders) {
            const outcome = await stampede(contender, { redisUrl: redis.url, postgresUrl: postgres.url }, SIZE)
            progress(`round ${round} of ${rounds}, ${outcome.name}: ${outcome.requests} requests, ${figure(outcome.settledMs)} ms`)
            outcomes.get(contender)?.push(outcome)
          }
        }
        const of = (contender: string) => outcomes.get(contender) ?? []
        return {
          tables: [table(outcomes)],
          charts: ownOnly ? [] : charts(outcomes),
          limits: OURS.flatMap((contender) => limits(of(contender), of(BARE), SIZE.latencyMs)),
          figures: [...outcomes.values()].flatMap(figures),
        }
      } finally {
        await postgres.stop()
      }
    } finally {
      await redis.stop()
    }
  },
}

function table(outcomes: ReadonlyMap<string, readonly Outcome[]>): Table {
  const columns = ['', 'to nothing shared', 'requests', 'ms until all are settled', 'a caller, p50 ms', 'p99 ms', 'callers without a token']
  const bare = settledMs(outcomes.get(BARE) ?? [])
  const rows = [...outcomes.values()].map((rounds) => {
    const settled = settledMs(rounds)
    return [
      nameOf(rounds),
      timesOf(ratio(settled, bare)),
      spreadOf(rounds.map(({ requests }) => requests)),
      spreadOf(settled),
      spreadOf(waitsMs(rounds, 0.5)),
      spreadOf(waitsMs(rounds, 0.99)),
      spreadOf(rounds.map(({ failures }) => failures.length)),
    ]
  })
  return { title: '', columns, rows }
}

export function figures(rounds: readonly Outcome[]): Figures[] {
  const of = (what: string, unit: string, each: readonly number[]): Figures => ({ what: `${nameOf(rounds)}, ${what}`, unit, each })
  return [
    of(
      'requests',
      'requests',
      rounds.map(({ requests }) => requests),
    ),
    of('until all are settled', 'ms', settledMs(rounds)),
    of('a caller, p50', 'ms', waitsMs(rounds, 0.5)),
    of('a caller, p99', 'ms', waitsMs(rounds, 0.99)),
    of(
      'callers without a token',
      'callers',
      rounds.map(({ failures }) => failures.length),
    ),
  ]
}

export function charts(outcomes: ReadonlyMap<string, readonly Outcome[]>): Chart[] {
  const all = [...outcomes]
  const served = all.filter(([, rounds]) => rounds.every(({ failures }) => failures.length === 0))
  const chart = (name: string, title: string, unit: string, shown: typeof all, of: (outcome: Outcome) => number): Chart => {
    const bars = shown.map(([contender, rounds]) => ({
      name: nameOf(rounds),
      value: median(rounds.map(of)),
      isOurs: OURS.includes(contender),
    }))
    return { name, title, unit, bars: bars.sort((a, b) => a.value - b.value) }
  }
  const callers = (SIZE.processes * SIZE.callers).toLocaleString('en-US')
  return [
    chart('stampede-requests', `${callers} callers at once: requests to the upstream`, 'requests', all, ({ requests }) => requests),
    chart('stampede-served', `${callers} callers at once: until all are served`, 'ms', served, (outcome) => outcome.settledMs),
  ]
}

/** What must hold of every round, and next to nothing shared in the median. @throws Error when a caller of ours has no token */
export function limits(rounds: readonly Outcome[], bare: readonly Outcome[], latencyMs: number): Limit[] {
  const name = nameOf(rounds)
  const [failure] = rounds.flatMap(({ failures }) => failures)
  if (failure !== undefined) throw new Error(`${name}: a caller has no token: ${failure}`)
  const served = settledMs(rounds)
  return [
    { what: `upstream requests to one, ${name}`, ratio: Math.max(...rounds.map(({ requests }) => requests)), most: 1, isExact: true },
    limit(`time until all are served to that with nothing shared, ${name}`, ratio(served, settledMs(bare)), TIMES),
    {
      what: `time until all are served to ${latencyMs} + ${BEYOND_MS} ms, in any round, ${name}`,
      // A word that is lost now and then costs its callers a second, and is in no median.
      ratio: Math.max(...served) / (latencyMs + BEYOND_MS),
      most: 1,
      isOfTime: true,
    },
  ]
}

function waitsMs(rounds: readonly Outcome[], share: number): number[] {
  return rounds.map(({ waits }) => countedQuantile(waits, share) / 1e6)
}

function settledMs(rounds: readonly Outcome[]): number[] {
  return rounds.map((each) => each.settledMs)
}

function nameOf([first]: readonly Outcome[]): string {
  return first?.name ?? ''
}
