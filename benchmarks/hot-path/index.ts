import { startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { median, quantile, ratio } from '../measure/statistics.ts'
import { figure, timesOf } from '../report/figure.ts'
import type { Chart, Limit, Table } from '../report/report.ts'
import type { Measured, Order } from './worker.ts'

interface Subject {
  readonly contender: string
  readonly way: string
  readonly isOurs?: true
  /** What it is compared with, by its contender and way. */
  readonly base: 'lookup' | 'async lookup'
  /** Not with many keys: it has one. */
  readonly onlyOne?: true
  /** Of those that rest in between, too. */
  readonly rests?: true
}

const OURS: readonly Subject[] = [
  { contender: 'bare', way: 'lookup', base: 'lookup', rests: true },
  { contender: 'tokenwell', way: 'peek()', isOurs: true, base: 'lookup', rests: true },
  { contender: 'bare', way: 'async lookup', base: 'async lookup', rests: true },
  { contender: 'tokenwell', way: 'get()', isOurs: true, base: 'async lookup', rests: true },
  { contender: 'tokenwell-observed', way: 'get(), observed', isOurs: true, base: 'async lookup' },
  { contender: 'tokenwell-feishu', way: 'appAccessToken()', isOurs: true, base: 'async lookup', onlyOne: true },
  { contender: 'tokenwell-feishu', way: 'tenantAccessToken(key)', isOurs: true, base: 'async lookup', rests: true },
]

const OTHERS: readonly Subject[] = [
  { contender: 'aws-memoize', way: 'provider()', base: 'async lookup', onlyOne: true },
  { contender: 'google-auth', way: 'getAccessToken()', base: 'async lookup', onlyOne: true },
  { contender: 'keyv', way: 'get(key)', base: 'async lookup', rests: true },
  { contender: 'bentocache', way: 'getOrSet(key)', base: 'async lookup' },
  { contender: 'cacheable', way: 'getOrSet(key)', base: 'async lookup' },
  { contender: 'msal-node', way: 'acquireTokenByClientCredential()', base: 'async lookup', onlyOne: true },
  { contender: 'node-sdk', way: 'getTenantAccessToken()', base: 'async lookup', onlyOne: true },
]

const MANY = 10_000
/** Whoever was not asked for a second compares its clocks before it answers. */
const REST_MS = 1_100
/** Most of the time is that in which they rest. */
const RESTED_ROUNDS = 3

/**
 * Most that a token as text may take, by a bare lookup: among many keys it is found by its key first, and each step is somewhere else in memory.
 * What such a step takes differs from machine to machine, and with whatever else uses its caches.
 */
const MOST_OF_TEXT = { one: 1.5, many: 4 }
/** A bare one leaves nothing but its promise; beyond that is what is counted wrong. */
const MOST_BYTES = 1.15

const HOW = `A call for a token that is fresh: the time a call takes, awaited where it returns a promise, and the bytes that it leaves for the
collector beyond what \`await\` does. Each figure is the median of the rounds' medians of 250 batches of 2 ms, p99 is of all batches. Compared with
finding the token in a \`Map\` and looking at the clock, which is as little as any cache can do that is asked by key and makes a promise for each call. A handle is kept by its user: it need not be found,
and while its token is fresh it gives out one and the same promise, so it can be quicker than that; \`tenantAccessToken(key)\` finds its token by the key and makes a promise, as the others do, and is what to compare with them key by key.
p99 is of batches, not of calls. All of ours, keyv, MSAL and the official
SDK have their tokens in the process alone. bentocache and cacheable have Redis as their second
level, and never ask it here. A token of ours that nobody has asked for in the last second costs more: then the clocks are compared. That is measured by itself, with keys
that are all asked for once in turn and then rest, ${RESTED_ROUNDS} rounds of six batches; who asks so seldom finds little of it in the processor's caches, whatever it is.`

export const hotPath: Benchmark = {
  name: 'hot-path',
  async measure({ rounds, ownOnly, progress }) {
    const subjects = ownOnly ? OURS : [...OURS, ...OTHERS]
    const redis = ownOnly ? undefined : await startRedis()
    const redisUrl = redis?.url ?? ''
    try {
      const tables: Table[] = []
      const limits: Limit[] = []
      const charts: Chart[] = []
      for (const keys of [1, MANY]) {
        const chosen = subjects.filter(({ onlyOne }) => keys === 1 || onlyOne === undefined)
        const results = await measured(chosen, { keys, restMs: 0, redisUrl }, rounds, progress)
        tables.push(results.table(keys === 1 ? 'One key' : `${MANY.toLocaleString('en-US')} keys, in random order`))
        limits.push(...results.limits(keys, ownOnly))
        if (!ownOnly) charts.push(results.chart(keys))
      }
      if (!ownOnly) {
        const resting = subjects.filter(({ rests }) => rests)
        const results = await measured(resting, { keys: MANY, restMs: REST_MS, redisUrl }, Math.min(rounds, RESTED_ROUNDS), progress)
        tables.push(results.table(`${MANY.toLocaleString('en-US')} keys, each asked for every ${REST_MS / 1_000} s`))
      }
      return { title: 'A fresh token', how: HOW, tables, charts, limits }
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

/** What came of some rounds with so many keys. */
class Results {
  readonly #measured: ReadonlyMap<Subject, readonly Measured[]>

  constructor(measured: ReadonlyMap<Subject, readonly Measured[]>) {
    this.#measured = measured
  }

  table(title: string): Table {
    const columns = ['', 'ratio to the bare lookup', 'ns a call', 'p99', 'rounds', 'bytes a call']
    const rows = [...this.#measured].map(([subject, measured]) => {
      const medians = this.#medians(subject)
      const all = measured.flatMap(({ nanoseconds }) => nanoseconds)
      return [
        nameOf(subject, measured),
        timesOf(ratio(medians, this.#base(subject))),
        figure(median(medians)),
        figure(quantile(all, 0.99)),
        `${figure(Math.min(...medians))} to ${figure(Math.max(...medians))}`,
        figure(median(measured.map(({ bytes }) => bytes))),
      ]
    })
    return { title, columns, rows }
  }

  chart(keys: number): Chart {
    const bars = [...this.#measured].map(([subject, measured]) => ({
      name: nameOf(subject, measured),
      value: median(this.#medians(subject)),
      isOurs: subject.isOurs === true,
    }))
    const title = keys === 1 ? 'A call for a fresh token' : `A call for one of ${keys} fresh tokens`
    return { name: `hot-path-${keys}`, title, unit: 'ns', bars: bars.sort((a, b) => a.value - b.value) }
  }

  limits(keys: number, ownOnly: boolean): Limit[] {
    const of = keys === 1 ? 'one key' : `${keys} keys`
    const text = keys === 1 ? ['appAccessToken()', 'tenantAccessToken(key)'] : ['tenantAccessToken(key)']
    const limits: Limit[] = [
      { what: `peek() to a bare lookup, ${of}`, ratio: this.#ratio('peek()', 'lookup'), most: 1.5 },
      { what: `get() to a bare async lookup, ${of}`, ratio: this.#ratio('get()', 'async lookup'), most: 1.3 },
      { what: `get() with OpenTelemetry to get() without, ${of}`, ratio: this.#ratio('get(), observed', 'get()'), most: 1.1 },
      ...text.map((way) => ({
        what: `${way} to a bare async lookup, ${of}`,
        ratio: this.#ratio(way, 'async lookup'),
        ...(keys === 1 ? { most: MOST_OF_TEXT.one } : { most: MOST_OF_TEXT.many, isLoose: true as const }),
      })),
      ...['get()', ...text].map((way) => ({
        what: `bytes of ${way} to those of a bare async lookup, ${of}`,
        ratio: this.#bytes(way) / this.#bytes('async lookup'),
        most: MOST_BYTES,
        isLoose: true as const,
      })),
    ]
    if (ownOnly) return limits
    for (const way of ['get(key)', 'getOrSet(key)']) {
      for (const { contender } of OTHERS.filter((other) => other.way === way)) {
        limits.push({ what: `get() to ${contender}, ${of}`, ratio: this.#ratio('get()', way, contender), most: 1 / 6 })
      }
    }
    if (keys === 1) {
      const sdk = this.#ratio('get()', 'getTenantAccessToken()')
      limits.push({ what: 'get() to the official SDK', ratio: sdk, most: 1 / 40 })
    }
    return limits
  }

  #ratio(way: string, base: string, contender?: string): number {
    return ratio(this.#medians(this.#subject(way)), this.#medians(this.#subject(base, contender))).median
  }

  /** That one call leaves. */
  #bytes(way: string): number {
    return median((this.#measured.get(this.#subject(way)) ?? []).map(({ bytes }) => bytes))
  }

  #base({ base }: Subject): number[] {
    return this.#medians(this.#subject(base))
  }

  #subject(way: string, contender?: string): Subject {
    const found = [...this.#measured.keys()].find((each) => each.way === way && (contender ?? each.contender) === each.contender)
    if (found === undefined) throw new Error(`${way} was not measured`)
    return found
  }

  #medians(subject: Subject): number[] {
    return (this.#measured.get(subject) ?? []).map(({ nanoseconds }) => median(nanoseconds))
  }
}

function nameOf({ way }: Subject, [first]: readonly Measured[]): string {
  return `${first?.name}: ${way}`
}
