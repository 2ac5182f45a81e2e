import type { Attributes, BatchObservableCallback, BatchObservableResult, Meter, MeterProvider, Observable } from '@opentelemetry/api'
import type { KeyStatus } from '@tokenwell/core'
import { errorType, type Owner, STATE, TOKEN, type Whose } from './attributes.ts'

/** Versions below are no time: they count on from none, as of a token that was fetched without a store. Microseconds, the year 2001. */
const FIRST_TIME = 1e15

/** So often is a value reported as 0 when it has gone: whoever reads has seen it by then, also where several do. */
const ZEROS = 10

/**
 * Values of one instrument by attributes. Those that have gone are reported as 0 for a while: an SDK keeps the last value for ever. There may be a
 * hundred thousand keys, so attributes are made only for what has not been there before.
 */
class Level {
  readonly instrument: Observable
  readonly #reported = new Map<string, { readonly attributes: Attributes; zeros: number }>()
  readonly #values = new Map<string, number>()

  constructor(instrument: Observable) {
    this.instrument = instrument
  }

  /** `combine`: with what is there already. */
  add(id: string, attributes: () => Attributes, value: number, combine: (before: number, value: number) => number): void {
    const before = this.#values.get(id)
    this.#values.set(id, before === undefined ? value : combine(before, value))
    if (before === undefined && !this.#reported.has(id)) this.#reported.set(id, { attributes: attributes(), zeros: 0 })
  }

  report(result: BatchObservableResult): void {
    for (const [id, reported] of this.#reported) {
      const value = this.#values.get(id)
      reported.zeros = value === undefined ? reported.zeros + 1 : 0
      if (reported.zeros > ZEROS) this.#reported.delete(id)
      else result.observe(this.instrument, value ?? 0, reported.attributes)
    }
    this.#values.clear()
  }
}

const sum = (before: number, value: number) => before + value

/** What is looked at, and whose it is. */
interface Source {
  readonly whose: Whose
  status(): readonly KeyStatus[]
}

/**
 * What there is at the moment of a collection, in all that is observed with one provider: of two callbacks that report the same attributes, one
 * would be lost.
 */
class Levels {
  readonly #meter: Meter
  readonly #sources = new Set<Source>()
  readonly #keys: Level
  readonly #waiting: Level
  readonly #unpublished: Level
  readonly #timeToExpiry: Level
  readonly #age: Level
  readonly #backoff: Level
  readonly #all: readonly Level[]

  constructor(meter: Meter) {
    const count = (name: string, unit: string, description: string) =>
      new Level(meter.createObservableUpDownCounter(name, { description, unit: `{${unit}}` }))
    const seconds = (name: string, description: string) => new Level(meter.createObservableGauge(name, { description, unit: 's' }))
    this.#meter = meter
    this.#keys = count('tokenwell.keys', 'key', 'Keys in memory.')
    this.#waiting = count('tokenwell.callers.waiting', 'caller', 'Callers that wait for a token.')
    this.#unpublished = count('tokenwell.tokens.unpublished', 'token', 'Tokens that the store has not got yet.')
    this.#timeToExpiry = seconds('tokenwell.token.time_to_expiry', 'Least life left of a token that is kept warm; 0 when there is none.')
    this.#age = seconds('tokenwell.token.age', 'Time since the oldest token in memory was claimed; 0 when there is none.')
    this.#backoff = seconds('tokenwell.backoff.remaining', 'Longest wait left before the next try after a failure.')
    this.#all = [this.#keys, this.#waiting, this.#unpublished, this.#timeToExpiry, this.#age, this.#backoff]
  }

  /** @returns what ends it */
  add(source: Source): () => void {
    const instruments = this.#all.map(({ instrument }) => instrument)
    if (this.#sources.size === 0) this.#meter.addBatchObservableCallback(this.#report, instruments)
    this.#sources.add(source)
    return () => {
      if (this.#sources.delete(source) && this.#sources.size === 0) this.#meter.removeBatchObservableCallback(this.#report, instruments)
    }
  }

  #report: BatchObservableCallback = (result) => {
    const now = Date.now()
    for (const { whose, status } of this.#sources) for (const each of status()) this.#look(each, whose(each.key), now)
    for (const level of this.#all) level.report(result)
  }

  #look(status: KeyStatus, { id, attributes }: Owner, now: number): void {
    const { state, version, expiresInMs, renewInMs } = status
    const own = () => attributes
    const token = version === 0 ? 'none' : renewInMs > 0 ? 'fresh' : 'due'
    // At rest, what has failed before is of no interest any more.
    const code = state === 'idle' ? undefined : status.lastError?.code
    this.#keys.add(`${state} ${token} ${code} ${id}`, () => ({ ...attributes, [STATE]: state, [TOKEN]: token, ...errorType(code) }), 1, sum)
    this.#waiting.add(id, own, status.waiting, sum)
    this.#unpublished.add(id, own, status.unpublished ? 1 : 0, sum)
    this.#backoff.add(id, own, (status.retryInMs ?? 0) / 1_000, Math.max)
    // One that is due while nothing goes on is asked for by nobody, and left to end.
    if (token === 'fresh' || (token === 'due' && state !== 'idle')) this.#timeToExpiry.add(id, own, expiresInMs / 1_000, Math.min)
    if (version >= FIRST_TIME) this.#age.add(id, own, Math.max(0, now - version / 1_000) / 1_000, Math.max)
  }
}

const ofProviders = new WeakMap<MeterProvider, Levels>()

/** @returns what ends it */
export function observeLevels(provider: MeterProvider, meter: Meter, source: Source): () => void {
  const levels = ofProviders.get(provider) ?? new Levels(meter)
  ofProviders.set(provider, levels)
  return levels.add(source)
}
