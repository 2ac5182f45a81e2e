import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import type { TokenManager } from '@tokenwell/core'
import { whose } from './attributes.ts'
import { Counts } from './counts.ts'
import { observeLevels } from './levels.ts'
import { fetchSpans } from './spans.ts'

/** Put in by the build. */
declare const PACKAGE_VERSION: string

const SCOPE = '@tokenwell/otel'

/** What can be observed: what `createTokenManager` or `createFeishuTokens` returns. */
export type Observed = Pick<TokenManager, 'listen' | 'status'>

export interface ObserveOptions {
  /** Default: the one that is registered with `@opentelemetry/api`. */
  readonly meterProvider?: MeterProvider
  /** Default: the one that is registered with `@opentelemetry/api`. */
  readonly tracerProvider?: TracerProvider
  /**
   * Puts the key of the credential on everything, as `tokenwell.key`: a series for each, and the names of tenants and users in them.
   * Default false: `tokenwell.credential` says what kind of credential it is.
   */
  readonly keys?: boolean
}

/**
 * Reports what goes on in a manager, or with the tokens of an app, to OpenTelemetry: metrics, and a span for each fetch. Call it once for
 * each, after the SDK has been started. Calls for a token that is in memory are not looked at.
 *
 * @returns what ends it
 * @throws TypeError for arguments that are something else
 *
 * @example
 * const stop = observe(tokens)
 */
export function observe(observed: Observed, options: ObserveOptions = {}): () => void {
  if (typeof observed?.listen !== 'function' || typeof observed.status !== 'function') {
    throw new TypeError('observe: expected what createTokenManager or createFeishuTokens of this version of @tokenwell/core returns')
  }
  checkOptions(options)
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider(), keys = false } = options
  const meter = meterProvider.getMeter(SCOPE, PACKAGE_VERSION)
  const own = whose(keys)
  const counts = new Counts(meter, own)
  const span = fetchSpans(tracerProvider.getTracer(SCOPE, PACKAGE_VERSION), own)
  const endLevels = observeLevels(meterProvider, meter, { whose: own, status: () => observed.status() })
  const endEvents = observed.listen({
    onEvent(event) {
      counts.event(event)
      if (event.type === 'fetch-ended') span(event)
    },
    onStoreCall: (call) => counts.storeCall(call),
  })
  return () => {
    endEvents()
    endLevels()
  }
}

const METHODS = { meterProvider: 'getMeter', tracerProvider: 'getTracer' } as const

function checkOptions(options: ObserveOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`observe: expected an object of options, got ${typeof options}`)
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'meterProvider' && name !== 'tracerProvider' && name !== 'keys') {
      throw new TypeError(`observe: there is no option "${name}"; it takes meterProvider, tracerProvider, keys`)
    }
    if (value === undefined) continue
    if (name === 'keys') {
      if (typeof value !== 'boolean') throw new TypeError(`keys: expected true or false, got a value of type ${typeof value}`)
    } else if (typeof value?.[METHODS[name]] !== 'function') {
      throw new TypeError(`${name}: expected an object with ${METHODS[name]}(), got a value of type ${typeof value}`)
    }
  }
}
