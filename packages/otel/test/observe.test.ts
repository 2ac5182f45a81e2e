import type { MeterProvider as Meters, TracerProvider as Tracers } from '@opentelemetry/api'
import * as metrics from '@opentelemetry/sdk-metrics'
import * as traces from '@opentelemetry/sdk-trace'
import { createTokenManager } from '@tokenwell/core'
import { type Observed, type ObserveOptions, observe } from '@tokenwell/otel'
import { memoryStore } from '@tokenwell/store-memory'
import * as metrics2 from 'sdk-metrics-2'
import * as traces2 from 'sdk-trace-2'
import { describe, expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'

interface Sdk {
  readonly meterProvider: Meters
  readonly tracerProvider: Tracers
  /** Scope, name and number of data points of each metric. */
  metrics(): Promise<readonly (readonly [scope: string, name: string, points: number])[]>
  /** Scope and name of each span. */
  spans(): readonly (readonly [scope: string, name: string])[]
  end(): Promise<unknown>
}

function sdk3(): Sdk {
  const exporter = new metrics.InMemoryMetricExporter(metrics.AggregationTemporality.CUMULATIVE)
  const meterProvider = new metrics.MeterProvider({ readers: [new metrics.PeriodicExportingMetricReader({ exporter })] })
  const spans = new traces.InMemorySpanExporter()
  const tracerProvider = new traces.TracerProvider({ spanProcessors: [new traces.SimpleSpanProcessor({ exporter: spans })] })
  return {
    meterProvider,
    tracerProvider,
    async metrics() {
      await meterProvider.forceFlush()
      return namesOf(exporter.getMetrics().at(-1)?.scopeMetrics ?? [])
    },
    spans: () => spans.getFinishedSpans().map(({ instrumentationScope, name }) => [instrumentationScope.name, name]),
    end: () => Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]),
  }
}

function sdk2(): Sdk {
  const exporter = new metrics2.InMemoryMetricExporter(metrics2.AggregationTemporality.CUMULATIVE)
  const meterProvider = new metrics2.MeterProvider({ readers: [new metrics2.PeriodicExportingMetricReader({ exporter })] })
  const spans = new traces2.InMemorySpanExporter()
  const tracerProvider = new traces2.BasicTracerProvider({ spanProcessors: [new traces2.SimpleSpanProcessor(spans)] })
  return {
    meterProvider,
    tracerProvider,
    async metrics() {
      await meterProvider.forceFlush()
      return namesOf(exporter.getMetrics().at(-1)?.scopeMetrics ?? [])
    },
    spans: () => spans.getFinishedSpans().map(({ instrumentationScope, name }) => [instrumentationScope.name, name]),
    end: () => Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]),
  }
}

function namesOf(scopes: readonly metrics.ScopeMetrics[] | readonly metrics2.ScopeMetrics[]) {
  return scopes.flatMap(({ scope, metrics: all }) =>
    all.map(({ descriptor, dataPoints }) => [scope.name, descriptor.name, dataPoints.length] as const),
  )
}

test.each([
  ['3', sdk3],
  ['2', sdk2],
])('an SDK of generation %s gets metrics and spans', async (_, makeSdk) => {
  const sdk = makeSdk()
  const manager = createTokenManager({ store: memoryStore() })
  const stop = observe(manager, { meterProvider: sdk.meterProvider, tracerProvider: sdk.tracerProvider })
  onTestFinished(async () => {
    stop()
    await manager.close()
    await sdk.end()
  })
  await manager.token({ key: 'k', fetch: async () => ({ value: randomSecret('token'), expiresInMs: 3_600_000 }) }).get()
  const found = await sdk.metrics()
  for (const name of ['tokenwell.fetch.duration', 'tokenwell.wait.duration', 'tokenwell.claims', 'tokenwell.keys', 'tokenwell.token.age']) {
    expect(found).toContainEqual(['@tokenwell/otel', name, 1])
  }
  expect(sdk.spans()).toEqual([['@tokenwell/otel', 'tokenwell.fetch']])
})

test('without an SDK nothing is reported, and nothing disturbed', async () => {
  const manager = createTokenManager({ store: memoryStore() })
  onTestFinished(() => manager.close())
  const stop = observe(manager)
  const { value } = await manager.token({ key: 'k', fetch: async () => ({ value: randomSecret('token'), expiresInMs: 60_000 }) }).get()
  expect(value).toHaveLength(32)
  stop()
})

describe('an argument', () => {
  const manager = { listen: () => () => {}, status: () => [] }
  test.each<[string, unknown, unknown, RegExp]>([
    ['that is no manager', undefined, {}, /^observe: expected what createTokenManager or createFeishuTokens/],
    ['of an older version', { status: () => [] }, {}, /^observe: expected .* of this version of @tokenwell\/core/],
    ['that is no object of options', manager, 'all', /^observe: expected an object of options, got string/],
    [
      'with a name that is none',
      manager,
      { key: true },
      /^observe: there is no option "key"; it takes meterProvider, tracerProvider, keys/,
    ],
    ['keys as text', manager, { keys: 'yes' }, /^keys: expected true or false, got a value of type string/],
    ['a meterProvider that is none', manager, { meterProvider: {} }, /^meterProvider: expected an object with getMeter\(\)/],
    ['a tracerProvider that is none', manager, { tracerProvider: null }, /^tracerProvider: expected an object with getTracer\(\)/],
  ])('%s is a TypeError that says so', (_, observed, options, message) => {
    let thrown: unknown
    try {
      observe(observed as Observed, options as ObserveOptions)
    } catch (error) {
      thrown = error
      record('error', error)
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect((thrown as Error).message).toMatch(message)
  })
})
