import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { createTokenManager } from '@tokenwell/core'
import { observe } from '@tokenwell/otel'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret } from '../../../tools/leak-search/index.ts'
import { startTelemetry } from './support/telemetry.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** A manager on virtual time, observed. Without `lifeMs` of the upstream its fetches fail. */
async function start() {
  const clock = virtualClock()
  const telemetry = await startTelemetry()
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  const { meterProvider, tracerProvider } = telemetry
  observe(manager, { meterProvider, tracerProvider })
  onTestFinished(() => manager.close())
  const upstream: { lifeMs?: number; takesMs: number } = { lifeMs: HOUR, takesMs: 0 }
  const token = (key: string) =>
    manager.token({
      key,
      async fetch() {
        if (upstream.takesMs > 0) await new Promise<void>((resolve) => clock.schedule(resolve, upstream.takesMs))
        if (upstream.lifeMs === undefined) throw new Error('no')
        return { value: randomSecret('token'), expiresInMs: upstream.lifeMs }
      },
    })
  return { clock, upstream, token, scrape: telemetry.scrape }
}

test('the life left is that of the token that ends first', async () => {
  const { clock, upstream, token, scrape } = await start()
  await token('long').get()
  upstream.lifeMs = 20 * MINUTE
  await token('short').get()
  await clock.advance(MINUTE)
  expect((await scrape()).sum('token_time_to_expiry')).toBe(19 * 60)
  expect((await scrape()).sum('keys', { token: 'fresh' })).toBe(2)
})

test('a token that nobody asks for is left to end without lowering it, and is seen no more when it has gone', async () => {
  const { clock, token, scrape } = await start()
  await token('idle').get()
  expect((await scrape()).sum('token_time_to_expiry')).toBe(3_600)
  // It has been asked for once, so it is renewed once.
  await clock.advance(108 * MINUTE)
  const due = await scrape()
  expect([due.sum('keys', { state: 'idle', token: 'due' }), due.sum('token_time_to_expiry')]).toEqual([1, 0])
  await clock.advance(10 * MINUTE)
  const gone = await scrape()
  expect([gone.sum('keys', { token: 'due' }), gone.sum('keys', { state: 'idle', token: 'none' })]).toEqual([0, 1])
})

test('a token that is not renewed shows how long it still lives, and what keeps it from being renewed', async () => {
  const { clock, upstream, token, scrape } = await start()
  const handle = token('k')
  await handle.get()
  await handle.get()
  delete upstream.lifeMs
  for (let minute = 0; minute < 57; minute += 1) {
    await clock.advance(MINUTE)
    handle.peek()
  }
  const failing = await scrape()
  expect(failing.sum('token_time_to_expiry')).toBe(180)
  expect(failing.sum('keys', { token: 'due', error_type: 'FETCH_FAILED' })).toBe(1)
  expect(failing.sum('backoff_remaining')).toBeGreaterThan(0)
  await clock.advance(4 * MINUTE)
  await errorOf(handle.get({ timeoutMs: 0 }))
  const ended = await scrape()
  expect([ended.sum('token_time_to_expiry'), ended.sum('keys', { token: 'none', error_type: 'FETCH_FAILED' })]).toEqual([0, 1])
})

test('callers that wait are counted while they do', async () => {
  const { clock, upstream, token, scrape } = await start()
  upstream.takesMs = 1_000
  const handle = token('k')
  const callers = [handle.get(), handle.get()]
  expect((await scrape()).sum('callers_waiting')).toBe(2)
  await clock.advance(1_000)
  await Promise.all(callers)
  expect((await scrape()).sum('callers_waiting')).toBe(0)
})

test('two managers that report to one provider are added up, until one is stopped', async () => {
  const { meterProvider, tracerProvider, scrape } = await startTelemetry()
  const [one, other] = [createTokenManager({ store: memoryStore() }), createTokenManager({ store: memoryStore() })]
  const stops = [one, other].map((manager) => observe(manager, { meterProvider, tracerProvider }))
  for (const [manager, lifeMs] of [
    [one, HOUR],
    [other, 30 * MINUTE],
  ] as const) {
    onTestFinished(() => manager.close())
    await manager.token({ key: 'k', fetch: async () => ({ value: randomSecret('token'), expiresInMs: lifeMs }) }).get()
  }
  const both = await scrape()
  expect([both.sum('keys', { token: 'fresh' }), both.sum('fetch_duration_count')]).toEqual([2, 2])
  expect(both.sum('token_time_to_expiry')).toBeLessThanOrEqual(30 * 60)
  stops[1]?.()
  stops[1]?.()
  const left = await scrape()
  expect(left.sum('keys', { token: 'fresh' })).toBe(1)
  expect(left.sum('token_time_to_expiry')).toBeGreaterThan(30 * 60)
})

test('a key that the manager has forgotten is reported as 0 for a while, and then forgotten as well', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA)
  // Each collection on its own: with the cumulative kind the SDK itself remembers what there was.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  onTestFinished(() => meterProvider.shutdown())
  const clock = virtualClock()
  const manager = createTokenManager({ store: memoryStore({ clock }), clock, maxEntries: 1 })
  onTestFinished(() => manager.close())
  observe(manager, { meterProvider, keys: true })
  const token = (key: string) => manager.token({ key, fetch: async () => ({ value: randomSecret('token'), expiresInMs: HOUR }) })
  const waiting = async () => {
    exporter.reset()
    await reader.forceFlush()
    const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    const found = metrics.find(({ descriptor }) => descriptor.name === 'tokenwell.backoff.remaining')
    return (found?.dataPoints ?? []).map(({ attributes }) => attributes['tokenwell.key']).sort()
  }
  await token('first').get()
  expect(await waiting()).toEqual(['first'])
  await token('second').get()
  expect(manager.status().map(({ key }) => key)).toEqual(['second'])
  expect(await waiting()).toEqual(['first', 'second'])
  for (let collection = 0; collection < 10; collection += 1) await waiting()
  expect(await waiting()).toEqual(['second'])
})
