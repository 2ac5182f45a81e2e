import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Attributes, HrTime, MeterProvider as Meters, SpanStatus, TracerProvider as Tracers } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { onTestFinished } from 'vitest'
import { record } from '../../../../tools/leak-search/index.ts'

/** The SDK of one process, which Prometheus scrapes. */
export interface Telemetry {
  readonly meterProvider: Meters
  readonly tracerProvider: Tracers
  /** What a scrape gets, over HTTP. */
  scrape(): Promise<Scrape>
  /** The spans that have ended, the oldest first. */
  spans(): readonly EndedSpan[]
}

/** All of a span that is exported, but for what it has from its process. */
export interface EndedSpan {
  readonly name: string
  readonly traceId: string
  readonly parentSpanId: string | undefined
  readonly attributes: Attributes
  readonly status: SpanStatus
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly events: readonly unknown[]
  readonly links: readonly unknown[]
}

/** Ends with the test. */
export async function startTelemetry(): Promise<Telemetry> {
  const reader = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const server = createServer((request, response) => reader.getMetricsRequestHandler(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await meterProvider.shutdown()
    await tracerProvider.shutdown()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
  return {
    meterProvider,
    tracerProvider,
    async scrape() {
      const text = await (await fetch(url)).text()
      record('scrape', text)
      return new Scrape(text)
    },
    spans() {
      const spans = exporter.getFinishedSpans().map((span) => {
        const { name, attributes, status, startTime, endTime, events, links, parentSpanContext } = span
        const { traceId } = span.spanContext()
        return { name, traceId, parentSpanId: parentSpanContext?.spanId, attributes, status, startTime, endTime, events, links }
      })
      record('spans', spans)
      return spans
    },
  }
}

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The samples of a scrape. */
export class Scrape {
  readonly text: string
  readonly samples: readonly Sample[]

  constructor(text: string) {
    this.text = text
    this.samples = text
      .split('\n')
      .filter((line) => line.startsWith('tokenwell_'))
      .map((line) => {
        const [, name = '', labels = '', value = ''] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? []
        const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text] as const)
        return { name, labels: Object.fromEntries(pairs), value: Number(value) }
      })
  }

  /** The sum of the samples that have these labels, which stand without `tokenwell_`; undefined when there are none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const wanted = Object.entries(labels)
    const found = this.samples.filter(
      (sample) =>
        sample.name === `tokenwell_${name}` &&
        wanted.every(([label, value]) => (sample.labels[label] ?? sample.labels[`tokenwell_${label}`]) === value),
    )
    return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0)
  }

  /** Names of everything of Tokenwell's, as a query would have to name it. */
  get names(): ReadonlySet<string> {
    return new Set(this.samples.map(({ name }) => name))
  }
}
