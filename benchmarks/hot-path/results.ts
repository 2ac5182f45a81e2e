import { median, quantile, ratio } from '../measure/statistics.ts'
import { spreadOf, timesOf } from '../report/figure.ts'
import type { Chart, Figures, Limit, Table } from '../report/report.ts'
import { CACHES, CLIENTS, type Subject } from './subjects.ts'
import type { Measured } from './worker.ts'

/**
 * Most that a token as text may take, by a bare lookup: among many keys it is found by its key first, and each step is somewhere else in memory.
 * What such a step takes differs from machine to machine, and with whatever else uses its caches.
 */
const MOST_OF_TEXT = { one: 1.5, many: 4 }
/** Most that it may take by what other libraries do that are asked by the same key, for the same reason more among many. */
const MOST_OF_KEY = { one: { ofCache: 1 / 6, ofSdk: 1 / 20 }, many: { ofCache: 1 / 3, ofSdk: 1 / 8 } }
/** Most that a handle may take by another cache, and by the official SDK, which among many keys is as far away in memory as the handle is. */
const MOST_OF_HANDLE = { ofCache: 1 / 6, ofSdk: { one: 1 / 40, many: 1 / 20 } }
/**
 * Most bytes that a call may leave, by those of a bare one: a bare lookup leaves the time, 16 bytes, an async one that and a promise, 64. A handle
 * makes no promise, so twice the time from `get()` would be half of that.
 */
const MOST_BYTES = { peek: 1.5, get: 0.4, text: 1.15 }
/** Most that a call may take when the key has rested: two clocks are compared, in memory where nobody has been for a second. */
const MOST_RESTED = 8
/** And by a cache that is asked for the same keys as seldom. */
const MOST_RESTED_OF_CACHE = { get: 1, text: 1.25 }
/** And most bytes, by those of a bare one: it leaves what the clocks said, and `get()` what its caller asks for, too. About half as much again as it does. */
const MOST_RESTED_BYTES = { peek: 12, get: 7, text: 4.5 }

/** What came of some rounds with so many keys. */
export class Results {
  readonly #measured: ReadonlyMap<Subject, readonly Measured[]>

  constructor(measured: ReadonlyMap<Subject, readonly Measured[]>) {
    this.#measured = measured
  }

  table(title: string): Table {
    const columns = ['', 'ratio to the bare lookup', 'ns a call', 'p99 ns', 'bytes a call']
    const rows = [...this.#measured].map(([subject, measured]) => {
      const medians = this.#medians(subject)
      return [
        nameOf(subject, measured),
        timesOf(ratio(medians, this.#base(subject))),
        spreadOf(medians),
        spreadOf(p99s(measured)),
        spreadOf(measured.map(({ bytes }) => bytes)),
      ]
    })
    return { title, columns, rows }
  }

  /** @param of the keys of which these are */
  figures(of: string): Figures[] {
    return [...this.#measured].flatMap(([subject, measured]) => {
      const who = `${nameOf(subject, measured)}, ${of}`
      return [
        { what: `${who}, median`, unit: 'ns', each: this.#medians(subject) },
        { what: `${who}, p99`, unit: 'ns', each: p99s(measured) },
        { what: who, unit: 'bytes', each: measured.map(({ bytes }) => bytes) },
      ]
    })
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

  /** @param ownOnly whether no other library was measured */
  limits(keys: number, ownOnly: boolean): Limit[] {
    const of = keys === 1 ? 'one key' : `${keys} keys`
    const text = keys === 1 ? ['appAccessToken()', 'tenantAccessToken(key)'] : ['tenantAccessToken(key)']
    const limits: Limit[] = [
      { what: `peek() to a bare lookup, ${of}`, ratio: this.#ratio('peek()', 'lookup'), most: 1.5 },
      { what: `get() to a bare async lookup, ${of}`, ratio: this.#ratio('get()', 'async lookup'), most: 1.3 },
      // It does nothing to a key. Among many the difference is that of two processes' places in the processor's caches.
      ...(keys === 1
        ? [{ what: `get() with OpenTelemetry to get() without, ${of}`, ratio: this.#ratio('get(), observed', 'get()'), most: 1.1 }]
        : []),
      ...text.map((way) => ({
        what: `${way} to a bare async lookup, ${of}`,
        ratio: this.#ratio(way, 'async lookup'),
        ...(keys === 1 ? { most: MOST_OF_TEXT.one } : { most: MOST_OF_TEXT.many, isLoose: true as const }),
      })),
      this.#bytesLimit('peek()', of, MOST_BYTES.peek),
      this.#bytesLimit('get()', of, MOST_BYTES.get),
      ...text.map((way) => this.#bytesLimit(way, of, MOST_BYTES.text)),
    ]
    return ownOnly ? limits : [...limits, ...this.#limitsToOthers(keys, of)]
  }

  /** Of keys that rest, many. */
  restedLimits(keys: number): Limit[] {
    const of = `${keys} keys that rest`
    return [
      ...['peek()', 'get()', 'tenantAccessToken(key)'].map((way) => {
        const base = this.#subject(way).base
        return { what: `${way} to a bare ${base}, ${of}`, ratio: this.#ratio(way, base), most: MOST_RESTED, isLoose: true as const }
      }),
      this.#bytesLimit('peek()', of, MOST_RESTED_BYTES.peek),
      this.#bytesLimit('get()', of, MOST_RESTED_BYTES.get),
      this.#bytesLimit('tenantAccessToken(key)', of, MOST_RESTED_BYTES.text),
      ...this.#toEach(CACHES, 'get()', of, MOST_RESTED_OF_CACHE.get),
      ...this.#toEach(CACHES, 'tenantAccessToken(key)', of, MOST_RESTED_OF_CACHE.text),
    ]
  }

  #limitsToOthers(keys: number, of: string): Limit[] {
    const key = 'tenantAccessToken(key)'
    const size = keys === 1 ? 'one' : 'many'
    const storeApp = (way: string, most: number): Limit => ({
      what: `${way} to the official SDK, a store app, ${of}`,
      ratio: this.#ratio(way, 'getTenantAccessToken(key)'),
      most,
    })
    const limits = [
      ...this.#toEach(CACHES, 'get()', of, MOST_OF_HANDLE.ofCache),
      ...this.#toEach(CLIENTS[size], 'get()', of, MOST_OF_HANDLE.ofCache),
      storeApp('get()', MOST_OF_HANDLE.ofSdk[size]),
      ...this.#toEach(CACHES, key, of, MOST_OF_KEY[size].ofCache),
      storeApp(key, MOST_OF_KEY[size].ofSdk),
    ]
    if (keys === 1) {
      const sdk = this.#ratio('get()', 'getTenantAccessToken()')
      limits.push({ what: 'get() to the official SDK', ratio: sdk, most: MOST_OF_HANDLE.ofSdk.one })
    }
    return limits
  }

  #toEach(others: readonly Subject[], way: string, of: string, most: number): Limit[] {
    return others.map((other) => ({
      what: `${way} to ${other.contender}, ${of}`,
      ratio: this.#ratio(way, other.way, other.contender),
      most,
    }))
  }

  #bytesLimit(way: string, of: string, most: number): Limit {
    const { base } = this.#subject(way)
    return { what: `bytes of ${way} to those of a bare ${base}, ${of}`, ratio: this.#bytes(way) / this.#bytes(base), most, isAmount: true }
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

function p99s(measured: readonly Measured[]): number[] {
  return measured.map(({ nanoseconds }) => quantile(nanoseconds, 0.99))
}

function nameOf({ way }: Subject, [first]: readonly Measured[]): string {
  return `${first?.name}: ${way}`
}
