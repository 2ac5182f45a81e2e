import {
  type Attributes,
  context,
  type HrTime,
  isSpanContextValid,
  type Span,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { EndNotice, UpstreamDetail } from '@tokenwell/core'
import { errorType, HTTP_STATUS, OUTCOME, SERVING, type Whose } from './attributes.ts'

type FetchEnded = Extract<EndNotice, { readonly type: 'fetch-ended' }> & { readonly key: string; readonly time: number }

/**
 * A span for each fetch, made when it has ended.
 *
 * One that callers had to wait for goes on in the context of the caller who set it off, and belongs into that trace while the caller's
 * span is open; where that trace is not sampled, neither is this. A renewal in the background is nobody's: a timer runs in the context of whoever happened to set it.
 */
export function fetchSpans(tracer: Tracer, whose: Whose): (event: FetchEnded) => void {
  return ({ key, time, outcome, durationMs, serving, failure }) => {
    const isOfCaller = !serving && isParent(trace.getActiveSpan())
    const attributes = {
      ...whose(key).attributes,
      [OUTCOME]: outcome,
      [SERVING]: serving,
      ...errorType(failure?.code),
      ...upstream(failure?.upstream),
    }
    const options = { startTime: hrTime(time - durationMs), attributes, root: !isOfCaller }
    const span = tracer.startSpan('tokenwell.fetch', options, context.active())
    // No message: it may name the key.
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure.code })
    span.end(hrTime(time))
  }
}

/** One that has ended records nothing any more, and nor does one that is not sampled: only that one says so. */
function isParent(span: Span | undefined): boolean {
  if (span === undefined) return false
  const spanContext = span.spanContext()
  return span.isRecording() || (isSpanContextValid(spanContext) && (spanContext.traceFlags & TraceFlags.SAMPLED) === 0)
}

/** What the upstream said, without its text. */
function upstream({ code, logId, httpStatus }: UpstreamDetail = {}): Attributes {
  return {
    ...(code === undefined ? {} : { 'tokenwell.upstream.code': code }),
    ...(logId === undefined ? {} : { 'tokenwell.upstream.log_id': logId }),
    ...(httpStatus === undefined ? {} : { [HTTP_STATUS]: httpStatus }),
  }
}

/** @param ms epoch milliseconds. A plain number is taken for something else where it is small, as by a clock of a test. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)]
}
