import type { Attributes, BatchObservableCallback, BatchObservableResult, Meter, Observable } from '@opentelemetry/api'
import type { KeyStatus } from '@tokenwell/core'
import { errorType, STATE, TOKEN, type Whose } from './attributes.ts'

/** Versions below are no time: they count on from none, as of a token that was fetched without a store. Microseconds, the year 2001. */
const FIRST_TIME = 1e15

/**
 * Values of one instrument by attributes. Those that were reported once are reported as 0 from then on: an SDK keeps the last value for ever.
 * There may be a hundred thousand keys, so attributes are made only for what has not been there before.
 */
class Level {
  readonly instrument: Observable
  readonly #reported = new Map<string, Attributes>()
  readonly #values = new Map<string, number>()

  constructor(instrument: Observable) {
    this.instrument = instrument
  }

  /** `combine`: with what is there already. */
  add(id: string, attributes: () => Attributes, value: number, combine: (before: number, value: number) => number): void {
    const before = this.#values.get(id)
    this.#values.set(id, before === undefined ? value : combine(before, value))
    if (before === undefined && !this.#reported.has(id)) this.#reported.set(id, attributes())
  }

  report(result: BatchObservableResult): void {
    for (const [id, attributes] of this.#reported) result.observe(this.instrument, this.#values.get(id) ?? 0, attributes)
    this.#values.clear()
  }
}

const sum = (before: number, value: number) => before + value

/**
 * What there is at the moment of a collection, from one look at all keys.
 * @returns what ends it
 */
export function observeLevels(meter: Meter, whose: Whose, observed: () => readonly KeyStatus[]): () => void {
  const level = (make: 'createObservableUpDownCounter' | 'createObservableGauge', name: string, unit: string, description: string) =>
    new Level(meter[make](name, { description, unit }))
  const keys = level('createObservableUpDownCounter', 'tokenwell.keys', '{key}', 'Keys in memory.')
  const waiting = level('createObservableUpDownCounter', 'tokenwell.callers.waiting', '{caller}', 'Callers that wait for a token.')
  const unpublished = level(
    'createObservableUpDownCounter',
    'tokenwell.tokens.unpublished',
    '{token}',
    'Tokens that the store has not got yet.',
  )
  const timeToExpiry = level(
    'createObservableGauge',
    'tokenwell.token.time_to_expiry',
    's',
    'Least life left of a token that is kept warm; 0 when there is none.',
  )
  const age = level('createObservableGauge', 'tokenwell.token.age', 's', 'Time since the oldest token in memory was claimed.')
  const backoff = level(
    'createObservableGauge',
    'tokenwell.backoff.remaining',
    's',
    'Longest wait left before the next try after a failure.',
  )
  const levels = [keys, waiting, unpublished, timeToExpiry, age, backoff]

  const look: BatchObservableCallback = (result) => {
    const now = Date.now()
    for (const status of observed()) {
      const { key, state, version, expiresInMs, renewInMs } = status
      const { id, attributes } = whose(key)
      const own = () => attributes
      const token = version === 0 ? 'none' : renewInMs > 0 ? 'fresh' : 'due'
      // At rest, what has failed before is of no interest any more.
      const code = state === 'idle' ? undefined : status.lastError?.code
      keys.add(`${state} ${token} ${code} ${id}`, () => ({ ...attributes, [STATE]: state, [TOKEN]: token, ...errorType(code) }), 1, sum)
      waiting.add(id, own, status.waiting, sum)
      unpublished.add(id, own, status.unpublished ? 1 : 0, sum)
      backoff.add(id, own, (status.retryInMs ?? 0) / 1_000, Math.max)
      // One that is due while nothing goes on is asked for by nobody, and left to end.
      if (token === 'fresh' || (token === 'due' && state !== 'idle')) timeToExpiry.add(id, own, expiresInMs / 1_000, Math.min)
      if (version >= FIRST_TIME) age.add(id, own, Math.max(0, now - version / 1_000) / 1_000, Math.max)
    }
    for (const each of levels) each.report(result)
  }
  const instruments = levels.map(({ instrument }) => instrument)
  meter.addBatchObservableCallback(look, instruments)
  return () => meter.removeBatchObservableCallback(look, instruments)
}
