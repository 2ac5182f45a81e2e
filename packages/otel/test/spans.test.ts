import { context, TraceFlags, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { createTokenManager, TokenError } from '@tokenwell/core'
import { observe } from '@tokenwell/otel'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret } from '../../../tools/leak-search/index.ts'
import { startApp, until } from './support/app.ts'
import { startTelemetry } from './support/telemetry.ts'

const HOUR = 3_600_000

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
})

afterAll(() => context.disable())

/** A manager on virtual time, observed, whose credential takes two seconds to fetch. */
async function start(failure?: TokenError) {
  const clock = virtualClock()
  const telemetry = await startTelemetry()
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  const { meterProvider, tracerProvider } = telemetry
  observe(manager, { meterProvider, tracerProvider })
  onTestFinished(() => manager.close())
  const handle = manager.token({
    key: 'a/key/of/my/own',
    async fetch() {
      await new Promise<void>((resolve) => clock.schedule(resolve, 2_000))
      if (failure !== undefined) throw failure
      return { value: randomSecret('token'), expiresInMs: HOUR }
    },
  })
  const tracer = telemetry.tracerProvider.getTracer('the app')
  return { clock, handle, tracer, spans: () => telemetry.spans().filter(({ name }) => name === 'tokenwell.fetch') }
}

test('a fetch is a span as long as it took, in the trace of the caller who set it off', async () => {
  const { clock, handle, tracer, spans } = await start()
  const began = clock.wall()
  const request = tracer.startSpan('a request')
  const answer = context.with(trace.setSpan(context.active(), request), () => handle.get())
  const other = context.with(trace.setSpan(context.active(), tracer.startSpan('another')), () => handle.get())
  await clock.advance(2_000)
  await Promise.all([answer, other])
  expect(spans()).toEqual([
    {
      name: 'tokenwell.fetch',
      traceId: request.spanContext().traceId,
      parentSpanId: request.spanContext().spanId,
      attributes: { 'tokenwell.credential': 'other', 'tokenwell.outcome': 'fetched', 'tokenwell.serving': false },
      status: { code: 0 },
      startTime: [began / 1_000, 0],
      endTime: [began / 1_000 + 2, 0],
      events: [],
      links: [],
    },
  ])
})

test('a renewal in the background is a trace of its own, whoever began the first', async () => {
  const { clock, handle, tracer, spans } = await start()
  const request = tracer.startSpan('a request')
  const answer = context.with(trace.setSpan(context.active(), request), () => handle.get())
  await clock.advance(2_000)
  await answer
  await handle.get()
  await clock.advance(HOUR - 120_000)
  const [, renewal, ...more] = spans()
  expect(more).toEqual([])
  expect(renewal).toMatchObject({ parentSpanId: undefined, attributes: { 'tokenwell.serving': true } })
  expect(renewal?.traceId).not.toBe(request.spanContext().traceId)
})

test('a fetch that goes on when the request that began it has ended is a trace of its own', async () => {
  const { clock, handle, tracer, spans } = await start()
  const request = tracer.startSpan('a request')
  const answer = context.with(trace.setSpan(context.active(), request), () => handle.get({ timeoutMs: 500 }).catch(() => request.end()))
  await clock.advance(2_000)
  await answer
  expect(spans()).toMatchObject([{ parentSpanId: undefined }])
})

test('a fetch that a request sets off whose trace is not sampled is no trace of its own', async () => {
  const { clock, handle, spans } = await start()
  const unsampled = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.NONE, isRemote: true }
  const answer = context.with(trace.setSpanContext(context.active(), unsampled), () => handle.get())
  await clock.advance(2_000)
  await answer
  expect(spans()).toEqual([])
})

test('a fetch that fails says why, with what the upstream said of it and none of its text', async () => {
  const upstream = { code: 10014, msg: 'a text', logId: 'a log id', httpStatus: 200 }
  const failure = new TokenError('CONFIGURATION_REJECTED', 'a text', { retryable: false, upstream })
  const { clock, handle, spans } = await start(failure)
  const answer = errorOf(handle.get())
  await clock.advance(2_000)
  await answer
  expect(spans()).toMatchObject([
    {
      attributes: {
        'tokenwell.outcome': 'failed',
        'error.type': 'CONFIGURATION_REJECTED',
        'tokenwell.upstream.code': 10014,
        'tokenwell.upstream.log_id': 'a log id',
        'http.response.status_code': 200,
      },
      status: { code: 2, message: 'CONFIGURATION_REJECTED' },
    },
  ])
  expect(JSON.stringify(spans())).not.toContain('a text')
})

test('the fetches of an app are spans without its keys, and with them where they are asked for', async () => {
  const app = await startApp()
  const [plain, keyed] = [await app.process(), await app.process({ observe: { keys: true } })]
  await app.giveTicket(plain)
  await plain.tokens.tenantAccessToken('tenant-1')
  await keyed.tokens.tenantAccessToken('tenant-2')
  await until(() => plain.spans().length === 2 && keyed.spans().length === 1)
  expect(plain.spans().map(({ attributes }) => attributes['tokenwell.credential'])).toEqual(['app-access-token', 'tenant-access-token'])
  expect(JSON.stringify(plain.spans())).not.toMatch(/tenant-1|cli_observed/)
  expect(keyed.spans()).toMatchObject([{ attributes: { 'tokenwell.key': keyed.tokens.tenant('tenant-2').key } }])
})
