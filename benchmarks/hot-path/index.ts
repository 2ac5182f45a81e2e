import { startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import type { Chart, Figures, Limit, Table } from '../report/report.ts'
import { Results } from './results.ts'
import { OTHERS, OURS, type Subject } from './subjects.ts'
import type { Measured, Order } from './worker.ts'

const MANY = 10_000
/** Whoever was not asked for a second compares its clocks before it answers. */
const REST_MS = 1_100
/** Most of the time is that in which they rest. */
const RESTED_ROUNDS = 3

const HOW = `A call for a token that is fresh: the time a call takes, awaited where it returns a promise, and the bytes that it leaves for the
collector beyond what \`await\` does. Each figure is the median of the rounds' medians of 250 batches of 2 ms, p99 the median of the rounds' p99, with the least and the greatest of the rounds. Compared with
finding the token in a \`Map\` and looking at the clock, which is as little as any cache can do that is asked by key and makes a promise for each call. A handle is kept by its user: it need not be found,
and while its token is fresh it gives out one and the same promise, so it can be quicker than that, and at least six times as quick as each cache, as MSAL, which keeps tokens as a cache does, and forty times as the official SDK, twenty among many keys. \`tenantAccessToken(key)\` finds its token by the key and makes a promise, as the others do, and is what to compare with them key by key:
among many keys it need not be six times as quick as the quickest cache, but three.
p99 is of batches, not of calls. An app has one token of its own, \`appAccessToken()\`, however many tenants it has. All of ours, keyv, MSAL and the official
SDK have their tokens in the process alone. bentocache and cacheable have Redis as their second
level, and never ask it here. AWS memoize, google-auth-library and MSAL have an instance for each key, which is found in a \`Map\`: the first two keep one token, and one client of MSAL looks through all of its tokens at each call
(with 1,000 of them a call took 0.8 ms of the processor, and each one more makes it longer). The official SDK is that of a custom app, which has one tenant, and of a store app, which has many and is asked with the key of one.
A token of ours that nobody has asked for in the last second costs more: then the clocks are compared. That is measured by itself, with keys
that are all asked for once in turn and then rest, ${RESTED_ROUNDS} rounds of six batches, so p99 is about the slowest of six; who asks so seldom finds little of it in the processor's caches, whatever it is. The caches
are asked as seldom, and have no clocks to compare: \`get()\` is to be no slower than each of them all the same, and \`tenantAccessToken(key)\` by no more than a quarter.
There \`get()\` leaves more than \`tenantAccessToken(key)\`, which looks for a token as \`peek()\` does and only puts a promise around it: \`get()\` also notes how long its caller waits and what life it asks for.`

export const hotPath: Benchmark = {
  name: 'hot-path',
  title: 'A fresh token',
  how: HOW,
  programs: [new URL('worker.ts', import.meta.url)],
  async measure({ rounds, ownOnly, progress }) {
    const subjects = ownOnly ? OURS : [...OURS, ...OTHERS]
    const redis = ownOnly ? undefined : await startRedis()
    const redisUrl = redis?.url ?? ''
    try {
      const tables: Table[] = []
      const limits: Limit[] = []
      const figures: Figures[] = []
      const charts: Chart[] = []
      for (const keys of [1, MANY]) {
        const chosen = subjects.filter(({ only }) => only === undefined || only === (keys === 1 ? 'one' : 'many'))
        const results = await measured(chosen, { keys, restMs: 0, redisUrl }, rounds, progress)
        tables.push(results.table(keys === 1 ? 'One key' : `${MANY.toLocaleString('en-US')} keys, in random order`))
        figures.push(...results.figures(keys === 1 ? 'one key' : `${keys} keys`))
        limits.push(...results.limits(keys, ownOnly))
        if (!ownOnly) charts.push(results.chart(keys))
      }
      if (!ownOnly) {
        const resting = subjects.filter(({ rests }) => rests)
        const results = await measured(resting, { keys: MANY, restMs: REST_MS, redisUrl }, Math.min(rounds, RESTED_ROUNDS), progress)
        tables.push(results.table(`${MANY.toLocaleString('en-US')} keys, each asked for every ${REST_MS / 1_000} s`))
        figures.push(...results.figures(`${MANY} keys that rest`))
        limits.push(...results.restedLimits(MANY))
      }
      return { tables, charts, limits, figures }
    } finally {
      await redis?.stop()
    }
  },
}

/** Measures each subject in a process of its own, in turn with the others. */
async function measured(
  subjects: readonly Subject[],
  setting: Omit<Order, 'contender' | 'way'>,
  rounds: number,
  progress: (what: string) => void,
): Promise<Results> {
  const outcomes = new Map<Subject, Measured[]>(subjects.map((subject) => [subject, []]))
  for (let round = 1; round <= rounds; round++) {
    progress(`${setting.keys} keys${setting.restMs > 0 ? ' that rest' : ''}, round ${round} of ${rounds}`)
    for (const subject of subjects) {
      const { contender, way } = subject
      const order: Order = { ...setting, contender, way }
      outcomes.get(subject)?.push(await inProcess<Measured>(new URL('worker.ts', import.meta.url), order, ['--expose-gc']))
    }
  }
  return new Results(outcomes)
}
