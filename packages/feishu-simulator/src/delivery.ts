import { randomBytes, randomUUID } from 'node:crypto'
import type { Behaviour } from './behaviour.ts'
import { postCallback } from './callback.ts'
import type { Timekeeper } from './clock.ts'
import type { Fields } from './endpoints.ts'
import { type CallbackRequest, callbackRequest, type EventForm, EventTimes, eventEnvelope } from './event.ts'

/** Milliseconds within which a callback has to answer 200. */
export const CALLBACK_DEADLINE_MS = 3000

/** Milliseconds from a failed attempt to the next one; after the last, the event is given up. */
const REDELIVERY_DELAYS_MS: readonly number[] = [15_000, 5 * 60_000, 60 * 60_000, 6 * 60 * 60_000]

/** One event on its way, over all its attempts. */
export interface Delivery {
  readonly appId: string
  /** `app_ticket`, `url_verification`, or any other event type. */
  readonly type: string
  /** The same in every attempt. Empty for `url_verification`, which has none. */
  readonly uuid: string
  /** The ticket it carries, if it is an `app_ticket` event. */
  readonly ticket?: string
  readonly attempts: readonly DeliveryAttempt[]
  readonly state: 'pending' | 'acknowledged' | 'given-up'
}

/** One request to the callback URL and what came of it. */
export interface DeliveryAttempt {
  readonly delivery: Delivery
  /** When it was sent, milliseconds since the Unix epoch on the simulator's clock. */
  readonly sentAtMs: number
  /** The `ts` it carried. */
  readonly ts: string
  readonly request: CallbackRequest
  /** Absent when no reply came in time. */
  readonly status?: number
  /** Body of the reply; empty when none came. */
  readonly body: string
  readonly acknowledged: boolean
  /** Why no reply came. */
  readonly error?: string
}

/** The receiving side of an app. */
export interface Subscriber {
  readonly appId: string
  readonly verificationToken: string
  readonly encryptKey?: string
  readonly signed: boolean
  eventUrl?: string
}

export interface DeliveriesOptions {
  readonly time: Timekeeper
  /** How many of the simulator's milliseconds the callback deadline takes; more than 3 s where time is sped up, as the network is not. */
  readonly deadlineMs: number
  readonly redeliveryTs: Behaviour['redeliveryTs']
  readonly onSent: (delivery: Delivery) => void
  readonly onAnswered: (attempt: DeliveryAttempt) => void
}

/** A delivery while the simulator writes to it; readers see it as {@link Delivery}. */
interface OpenDelivery extends Delivery {
  readonly attempts: DeliveryAttempt[]
  state: Delivery['state']
}

/** How a delivery is carried out. */
interface Route {
  readonly subscriber: Subscriber
  readonly firstTs: string
  readonly compose: (ts: string) => CallbackRequest
  readonly isAcknowledged: (status: number, body: string) => boolean
  readonly redelivers: boolean
  readonly delivery: OpenDelivery
  cancelRedelivery?: () => void
}

/** Writes events and delivers them: a first attempt, then redeliveries on the simulator's clock until one is acknowledged. */
export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #times = new EventTimes()
  readonly #abort = new AbortController()
  readonly #routes = new WeakMap<Delivery, Route>()

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  /** An event as it would be sent, without sending it. */
  build(subscriber: Subscriber, event: Fields, form: EventForm = {}): CallbackRequest {
    const { compose, firstTs } = this.#prepare(subscriber, event, form)
    return compose(firstTs)
  }

  /** Sends an event; resolves with its first attempt, whatever came of it. */
  push(subscriber: Subscriber, event: Fields, form: EventForm = {}): Promise<DeliveryAttempt> {
    const { compose, firstTs, uuid } = this.#prepare(subscriber, event, form)
    const ticket = event.type === 'app_ticket' && typeof event.app_ticket === 'string' ? { ticket: event.app_ticket } : {}
    return this.#start({
      subscriber,
      firstTs,
      compose,
      isAcknowledged: (status) => status === 200,
      redelivers: true,
      delivery: { appId: subscriber.appId, type: String(event.type), uuid, ...ticket, attempts: [], state: 'pending' },
    })
  }

  /** Sends the `url_verification` a platform sends when a callback URL is entered: acknowledged by an echo of the challenge, never sent again. */
  challenge(subscriber: Subscriber, form: EventForm = {}): Promise<DeliveryAttempt> {
    const challenge = randomUUID()
    const envelope = { challenge, token: form.token ?? subscriber.verificationToken, type: 'url_verification' }
    return this.#start({
      subscriber,
      firstTs: form.ts ?? this.#times.next(this.#options.time.now()),
      compose: () => this.#seal(subscriber, envelope, form),
      isAcknowledged: (status, body) => status === 200 && echoes(body, challenge),
      redelivers: false,
      delivery: { appId: subscriber.appId, type: 'url_verification', uuid: '', attempts: [], state: 'pending' },
    })
  }

  /** Sends a delivery once more, now. Takes the place of the redelivery that was due next. */
  async redeliver(delivery: Delivery): Promise<DeliveryAttempt> {
    const route = this.#routes.get(delivery)
    if (!route) throw new TypeError('redeliver: expected a delivery of this simulator')
    return this.#attempt(route)
  }

  /** Ends what is under way; nothing is sent afterwards. */
  stop(): void {
    this.#abort.abort(new Error('the simulator was closed'))
  }

  #prepare(subscriber: Subscriber, event: Fields, form: EventForm) {
    const uuid = form.uuid ?? randomUUID()
    const firstTs = form.ts ?? this.#times.next(this.#options.time.now())
    const compose = (ts: string): CallbackRequest =>
      this.#seal(
        subscriber,
        eventEnvelope({
          schema: form.schema ?? 'v1',
          token: form.token ?? subscriber.verificationToken,
          appId: form.appId ?? subscriber.appId,
          uuid,
          ts,
          event,
        }),
        form,
      )
    return { uuid, firstTs, compose }
  }

  #seal(subscriber: Subscriber, envelope: Fields, form: EventForm): CallbackRequest {
    const key = form.encryptKey ?? subscriber.encryptKey
    const encrypted = form.encrypted ?? key !== undefined
    const signed = form.signed ?? subscriber.signed
    if (key === undefined && (encrypted || signed)) {
      throw new TypeError(`app ${subscriber.appId}: an encrypted or signed event needs an encryptKey`)
    }
    const timestamp = String(Math.floor(this.#options.time.now() / 1000))
    return callbackRequest(envelope, {
      iv: randomBytes(16),
      ...(key !== undefined && encrypted ? { encryptKey: key } : {}),
      ...(key !== undefined && signed ? { signature: { key, timestamp, nonce: randomBytes(8).toString('hex') } } : {}),
    })
  }

  #start(route: Route): Promise<DeliveryAttempt> {
    this.#routes.set(route.delivery, route)
    return this.#attempt(route)
  }

  async #attempt(route: Route): Promise<DeliveryAttempt> {
    route.cancelRedelivery?.()
    const { delivery, firstTs } = route
    const { time, redeliveryTs, onSent, onAnswered } = this.#options
    const isFirst = delivery.attempts.length === 0
    const ts = isFirst || redeliveryTs === 'first' ? firstTs : this.#times.next(time.now())
    const request = route.compose(ts)
    const sentAtMs = time.now()
    onSent(delivery)
    const outcome = await this.#post(route.subscriber, request)
    const acknowledged = outcome.status !== undefined && route.isAcknowledged(outcome.status, outcome.body)
    const attempt: DeliveryAttempt = { delivery, sentAtMs, ts, request, ...outcome, acknowledged }
    delivery.attempts.push(attempt)
    if (acknowledged) delivery.state = 'acknowledged'
    this.#planNext(route)
    onAnswered(attempt)
    return attempt
  }

  async #post({ appId, eventUrl }: Subscriber, request: CallbackRequest): Promise<{ status?: number; body: string; error?: string }> {
    if (eventUrl === undefined) return { body: '', error: `app ${appId} has no event URL: set one with setEventUrl` }
    const late = new AbortController()
    const cancelDeadline = this.#options.time.after(this.#options.deadlineMs, () => late.abort(new Error('no reply within 3 s')))
    const signal = AbortSignal.any([late.signal, this.#abort.signal])
    try {
      return await postCallback(eventUrl, request, signal)
    } catch (error) {
      return { body: '', error: reasonOf(signal.aborted ? signal.reason : error) }
    } finally {
      cancelDeadline()
    }
  }

  #planNext(route: Route): void {
    const { delivery, redelivers } = route
    route.cancelRedelivery?.()
    if (delivery.state === 'acknowledged' || this.#abort.signal.aborted) return
    const delayMs = redelivers ? REDELIVERY_DELAYS_MS[delivery.attempts.length - 1] : undefined
    if (delayMs === undefined) delivery.state = 'given-up'
    else route.cancelRedelivery = this.#options.time.after(delayMs, () => void this.#attempt(route))
  }
}

/** A name with several addresses fails with one error for each, and no message of its own. */
function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : String(error)
}

function echoes(body: string, challenge: string): boolean {
  try {
    const reply: unknown = JSON.parse(body)
    return typeof reply === 'object' && reply !== null && 'challenge' in reply && reply.challenge === challenge
  } catch {
    return false
  }
}
