import { isTokenError, TokenError } from '../errors.ts'
import { decodeFailure, encodeFailure } from '../failure.ts'
import type { Inside } from '../inside.ts'
import type { Snapshot } from '../store.ts'

/** Long enough to write down what the upstream said. */
const LEASE_MS = 2_000

/**
 * What the upstream said about asking it too often, for one kind of credential and the whole fleet: until then nobody sends a request of
 * that kind, for whichever tenant. It is a record of its own, with a backoff and never a value; who is told reads it, so that it costs
 * nothing while there is no limit.
 */
export class RateLimit {
  readonly #inside: Inside
  readonly #key: string
  readonly #kind: string
  #until = Number.NEGATIVE_INFINITY
  #upstream: TokenError['upstream']
  #asking: Promise<void> | undefined
  #hasAsked = false

  /** `kind`: what the credentials are called, for messages. */
  constructor(inside: Inside, key: string, kind: string) {
    this.#inside = inside
    this.#key = key
    this.#kind = kind
    inside.hints.listen(key, () => void this.#read())
  }

  /**
   * A process that has just begun does not know yet, nor ever does one that hears no hints: it asks before it claims anything, not with a
   * lease in hand.
   */
  prepare(): void {
    if (this.#hasAsked && this.#inside.hints.state !== 'off') return
    this.#asking ??= this.#read().finally(() => {
      this.#hasAsked = true
      this.#asking = undefined
    })
  }

  /**
   * Sends a request unless the limit is in force, and shares what its reply says of one.
   * @throws TokenError `RATE_LIMITED` without a request; and what `request` throws
   */
  async pass<T>(request: () => Promise<T>): Promise<T> {
    if (!this.#hasAsked) this.prepare()
    await this.#asking
    const leftMs = this.#until - this.#inside.clock.monotonic()
    if (leftMs > 0) throw this.#limited(leftMs)
    try {
      return await request()
    } catch (error) {
      if (isTokenError(error) && error.code === 'RATE_LIMITED' && error.retryAfterMs !== undefined) {
        void this.#inside.track(this.#share(error, error.retryAfterMs))
      }
      throw error
    }
  }

  #limited(leftMs: number): TokenError {
    const retryAfterMs = Math.ceil(leftMs)
    const message =
      `The upstream throttles requests for ${this.#kind}: the whole fleet waits. Next try in ${retryAfterMs} ms. If this comes often, ` +
      'ask for fewer at a time (warm has a concurrency), or the platform for a higher quota.'
    return new TokenError('RATE_LIMITED', message, { retryable: true, retryAfterMs, upstream: this.#upstream })
  }

  async #share(error: TokenError, waitMs: number): Promise<void> {
    const { clock, calls, random } = this.#inside
    this.#until = Math.max(this.#until, clock.monotonic() + waitMs)
    this.#upstream = error.upstream
    const attempt = random.id()
    try {
      const { answer } = await calls.claim(this.#key, attempt, { leaseMs: LEASE_MS, seen: 0, rejected: 0 })
      if (answer.kind !== 'granted') return
      // It may be over by now; the lease is given back all the same.
      const backoffMs = Math.max(0, Math.ceil(this.#until - clock.monotonic()))
      await calls.settle(this.#key, attempt, answer.fence, { backoffMs, ...(backoffMs > 0 && { failure: encodeFailure(error) }) })
    } catch {
      // This process knows; others are told by the upstream.
    }
  }

  async #read(): Promise<void> {
    try {
      const { answer, sentAt } = await this.#inside.calls.readNow(this.#key)
      this.#learn(answer, sentAt)
    } catch {
      // Then the upstream says it.
    }
  }

  #learn({ backoff }: Snapshot, sentAt: number): void {
    if (backoff === undefined || backoff.retryInMs <= 0) return
    const until = sentAt + backoff.retryInMs
    if (until <= this.#until) return
    this.#until = until
    this.#upstream = decodeFailure(backoff.failure, backoff.retryInMs)?.upstream
  }
}
