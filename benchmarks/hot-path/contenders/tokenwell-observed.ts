import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createTokenManager } from '@tokenwell/core'
import { observe } from '@tokenwell/otel'
import { memoryStore } from '@tokenwell/store-memory'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** With metrics and spans; what there is is collected once a minute, as an SDK does unless told otherwise. */
export const contender: Contender = {
  name: 'Tokenwell, handles, with OpenTelemetry',
  async open(keys) {
    const manager = createTokenManager({ store: memoryStore() })
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    observe(manager, {
      meterProvider: new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] }),
      tracerProvider: new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() })] }),
    })
    const handles = Array.from({ length: keys }, (_, index) =>
      manager.token({ key: keyName(index), fetch: async () => ({ value: tokenValue(index), expiresInMs: LIFE_MS }) }),
    )
    for (const handle of handles) await handle.get()
    return { ways: { 'get(), observed': { async: (index) => (handles[index] as (typeof handles)[number]).get() } } }
  },
}
