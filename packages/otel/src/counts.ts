import type { Attributes, Meter } from '@opentelemetry/api'
import type { StoreCall, TokenEvent } from '@tokenwell/core'
import { errorType, HTTP_STATUS, OPERATION, OUTCOME, SERVING, SHARED, type Whose } from './attributes.ts'

/** Bounds of buckets, seconds. A fetch is cut off after 7 s by default. */
const FETCH_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7, 10]
/** A caller waits for 15 s by default. */
const WAIT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
/** A store has 1 s by default. */
const STORE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

/** Counters and histograms: what has happened. */
export class Counts {
  readonly #whose: Whose
  readonly #counters: ReturnType<typeof createCounters>
  readonly #durations: ReturnType<typeof createHistograms>

  constructor(meter: Meter, whose: Whose) {
    this.#whose = whose
    this.#counters = createCounters(meter)
    this.#durations = createHistograms(meter)
  }

  event(event: TokenEvent): void {
    const { attributes: own } = this.#whose(event.key)
    if (event.type === 'fetch-ended') {
      const { outcome, serving, failure, durationMs } = event
      this.#durations.fetch.record(durationMs / 1_000, { ...own, [OUTCOME]: outcome, [SERVING]: serving, ...errorType(failure?.code) })
    } else if (event.type === 'waited') {
      const attributes = { ...own, ...errorType(event.code) }
      for (const waitedMs of event.waitedMs) this.#durations.wait.record(waitedMs / 1_000, attributes)
    } else if (event.type !== 'renewed') {
      const [counter, attributes] = counted(event)
      this.#counters[counter].add(1, { ...own, ...attributes })
    }
  }

  storeCall({ operation, durationMs, outcome }: StoreCall): void {
    const error = errorType(outcome === 'answered' ? undefined : outcome)
    this.#durations.store.record(durationMs / 1_000, { [OPERATION]: operation, ...error })
  }
}

/** `renewed` says the same as a fetch that has ended well. */
type Counted = Exclude<TokenEvent, { readonly type: 'fetch-ended' | 'waited' | 'renewed' }>

function counted(event: Counted): readonly [keyof ReturnType<typeof createCounters>, Attributes?] {
  switch (event.type) {
    case 'published':
      return ['publications', { [OUTCOME]: 'accepted' }]
    case 'superseded':
      return ['publications', { [OUTCOME]: 'superseded' }]
    case 'granted':
      return ['claims', { [OUTCOME]: event.takeover ? 'takeover' : 'granted' }]
    case 'held':
      return ['claims', { [OUTCOME]: 'held' }]
    case 'adopted':
      return ['adoptions']
    case 'rejected':
    case 'vouched':
      return ['rejections', { [OUTCOME]: event.type }]
    case 'backoff':
      return ['backoffs', { [SHARED]: event.shared, ...errorType(event.failure.code) }]
    case 'blocked':
      return ['blocks', errorType(event.failure.code)]
    case 'detached':
      return ['detachments', errorType(event.failure.code)]
    case 'outcome-unknown':
      return ['unknownOutcomes', errorType(event.failure.code)]
    case 'doubted':
      return ['clockDoubts']
    case 'record-unreadable':
      return ['unreadableRecords']
    case 'ticket-accepted':
    case 'ticket-ignored':
    case 'ticket-refused':
    case 'ticket-rejected':
    case 'ticket-requested':
      return ['ticketEvents', { [OUTCOME]: event.type.slice('ticket-'.length) }]
    case 'event-refused':
      return ['refusedEvents', { [HTTP_STATUS]: event.status }]
  }
}

function createHistograms(meter: Meter) {
  const histogram = (name: string, description: string, buckets: number[]) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: buckets } })
  return {
    fetch: histogram('tokenwell.fetch.duration', 'Fetches of a credential by this process.', FETCH_BUCKETS),
    wait: histogram('tokenwell.wait.duration', 'Waits of callers that could not be served at once.', WAIT_BUCKETS),
    store: histogram('tokenwell.store.operation.duration', 'Operations of the store, each try.', STORE_BUCKETS),
  }
}

function createCounters(meter: Meter) {
  const counter = (name: string, unit: string, description: string) => meter.createCounter(name, { description, unit: `{${unit}}` })
  return {
    publications: counter('tokenwell.publications', 'publication', 'Tokens fetched by this process that the store has answered for.'),
    claims: counter('tokenwell.claims', 'claim', 'Claims of the right to fetch that were granted, or held by another process.'),
    adoptions: counter('tokenwell.adoptions', 'token', 'Tokens taken over from another process.'),
    rejections: counter(
      'tokenwell.rejections',
      'rejection',
      'Tokens that are served no more, as the upstream refuses them, or vouched for.',
    ),
    backoffs: counter('tokenwell.backoffs', 'backoff', 'Failures that are being waited out.'),
    blocks: counter('tokenwell.blocks', 'block', 'Fetches that wait for something they need.'),
    detachments: counter('tokenwell.detachments', 'detachment', 'Times the store did not answer and was gone on without.'),
    unknownOutcomes: counter('tokenwell.unknown_outcomes', 'fetch', 'Requests that use up a secret and got no answer.'),
    clockDoubts: counter('tokenwell.clock.doubts', 'doubt', "Disagreements of this machine's clocks by more than 5 s."),
    unreadableRecords: counter('tokenwell.unreadable_records', 'record', "Stored values that this process's keys do not open."),
    ticketEvents: counter('tokenwell.ticket.events', 'event', 'What happened to app tickets.'),
    refusedEvents: counter('tokenwell.refused_events', 'event', 'Pushed events that were answered with an error.'),
  }
}
