import { isTokenError, TokenError } from '../errors.ts'
import { decodeFailure, encodeFailure, MissingDependency } from '../failure.ts'
import type { Inside } from '../inside.ts'
import { fetchDeadline } from '../machine/policy.ts'
import type { Snapshot, Version } from '../store.ts'

/** A ticket lives until the upstream refuses it; the record's own life only lets a store collect what nobody reads any more. */
const TICKET_LIFE_MS = 10 * 365 * 24 * 3_600_000
/** A ticket from further ahead than this would shut out every honest one until then. */
const MAX_AHEAD_MS = 10 * 60_000
/** One resend per fleet in this time, milliseconds. */
const RESEND_EVERY_MS = 60_000
/** After a resend that failed but may be tried again, milliseconds. */
const RESEND_RETRY_MS = 10_000
/** A day of hourly tickets, several times over: redeliveries end after about seven hours. */
const DEAD_REMEMBERED = 100
/** How often a ticket is put above dead ones that are in its way: once, unless another is refused in between. */
const CLIMBS = 3
const RESEND_TIMEOUT_MS = 7_000
const RESEND_LEASE_MS = 8_000
/** Another process asks just now: what came of it is known soon, milliseconds. */
const RESEND_UNDER_WAY_MS = 1_000
/** Re-reads while a ticket is waited for: without hints growing from the first to the second, with hints the third as an insurance. */
const FIRST_POLL_MS = 25
const LONGEST_POLL_MS = 500
const INSURANCE_POLL_MS = 2_000

export interface AppTicket {
  readonly value: string
  readonly version: Version
}

/** A ticket on its way in. `version`: the event's time in microseconds; `id` tells redeliveries of one event apart from other events. */
export interface PushedTicket extends AppTicket {
  readonly id: string
}

export interface AppTicketOptions {
  readonly kernel: Inside
  readonly appId: string
  /** Key of the ticket's record. */
  readonly key: string
  /** Digest of the configuration that resends are asked with. */
  readonly config: string
  /** Asks the platform to push the ticket again. */
  readonly resend: (signal: AbortSignal) => Promise<void>
}

/**
 * The app ticket of a store app: pushed to one node, used by all. It is a record like any other, ordered by the time of its event, so
 * an older redelivery loses; nobody ever claims it. This process keeps the newest ticket it has seen, for when the store is down.
 */
export class AppTickets {
  readonly #options: AppTicketOptions
  readonly #waiting = new Set<() => void>()
  #newest: PushedTicket | undefined
  #rejectedUpTo: Version = 0
  /** Events whose ticket the upstream has refused to this process, the oldest first: a redelivery may carry a new time. */
  readonly #dead = new Set<string>()
  #resendAt = Number.NEGATIVE_INFINITY
  /** The store has a ticket that this process has not got the key for. */
  #isUnreadable = false
  /** Why the platform could not be asked for a ticket, when the last try to do so failed. */
  #unasked: TokenError | undefined

  constructor(options: AppTicketOptions) {
    this.#options = options
  }

  /**
   * Takes a pushed ticket in for the whole fleet.
   * @throws TokenError `STORE_UNAVAILABLE`: the ticket is kept in this process only, and should be pushed again.
   */
  async accept(ticket: PushedTicket): Promise<'accepted' | 'ignored' | 'refused'> {
    const { kernel, key } = this.#options
    const { version, id } = ticket
    try {
      const outcome = this.#dead.has(id) ? 'ignored' : await this.#publish(ticket, version)
      kernel.tell(key, { type: `ticket-${outcome}`, version })
      return outcome
    } catch (error) {
      // Only this node's clock is left to tell a ticket from the future.
      if (version <= (kernel.clock.wall() + MAX_AHEAD_MS) * 1_000) this.#keep(ticket)
      throw error
    }
  }

  async #publish(ticket: PushedTicket, fence: Version, climbs = CLIMBS): Promise<'accepted' | 'ignored' | 'refused'> {
    const { kernel, key } = this.#options
    const { value, id } = ticket
    const request = { value, renewInMs: TICKET_LIFE_MS, expiresInMs: TICKET_LIFE_MS, maxAheadMs: MAX_AHEAD_MS }
    const { answer } = await kernel.calls.publish(key, id, fence, () => request)
    const { kind, snapshot } = answer
    if (kind === 'refused') return 'refused'
    this.#learn(snapshot)
    if (kind === 'accepted') {
      if (snapshot.version === fence) this.#keep({ ...ticket, version: fence })
      return 'accepted'
    }
    // What is in the way is dead, so being newer is no merit of it: this one may still be good.
    const dead = snapshot.version <= snapshot.rejectedUpTo && snapshot.value !== value
    const climb = dead && fence <= snapshot.rejectedUpTo && climbs > 0
    return climb ? this.#publish(ticket, snapshot.rejectedUpTo + 1, climbs - 1) : 'ignored'
  }

  /**
   * The newest ticket that has not been rejected. `detached`: without asking the store.
   * @throws MissingDependency when the fleet has none
   * @throws TokenError `STORE_UNAVAILABLE` when this process has none and cannot ask
   */
  async current(detached: boolean): Promise<AppTicket> {
    let failure: unknown
    if (!detached) failure = await this.#refresh().catch((error: unknown) => error)
    const usable = this.#usable()
    if (usable !== undefined) return usable
    if (detached || failure !== undefined) throw this.#unreachable(failure)
    throw this.missing()
  }

  /** The upstream refuses this ticket: nobody shall send it again. */
  reject(version: Version): Promise<void> {
    return this.#options.kernel.track(this.#reject(version))
  }

  async #reject(version: Version): Promise<void> {
    const { kernel, key } = this.#options
    this.#rejectedUpTo = Math.max(this.#rejectedUpTo, version)
    if (this.#newest?.version === version) this.#bury(this.#newest.id)
    kernel.tell(key, { type: 'ticket-rejected', version })
    try {
      const { answer } = await kernel.calls.invalidate(key, version)
      this.#learn(answer)
    } catch {
      // This process knows; others will be told by the upstream.
    }
  }

  #bury(id: string): void {
    this.#dead.add(id)
    for (const oldest of this.#dead) {
      if (this.#dead.size <= DEAD_REMEMBERED) return
      this.#dead.delete(oldest)
    }
  }

  /** What to throw when there is no ticket to fetch with. */
  missing(cause?: unknown): MissingDependency {
    return new MissingDependency(this.#unavailable(cause), (signal) => this.#await(signal))
  }

  #unavailable(cause: unknown): TokenError {
    const why = cause === undefined ? 'has been received' : 'has been received since the last one was refused'
    const asked = this.#unasked === undefined ? 'was asked to push one' : 'could not be asked to push one, see the cause'
    const message =
      `No app_ticket of ${this.#options.appId} ${why}. The platform ${asked}. If none comes, check in the developer console ` +
      'that the request URL for events is set and reaches receiveEvent() on this fleet, and that events.verificationToken and events.encryptKey match it.'
    return new TokenError('TICKET_UNAVAILABLE', message, {
      retryable: true,
      cause: this.#unasked ?? cause ?? (this.#isUnreadable ? unreadable() : undefined),
    })
  }

  #unreachable(cause: unknown): TokenError {
    const message = `The store does not answer and this process has not seen an app_ticket of ${this.#options.appId}, so it cannot mint a token. Check the store.`
    return new TokenError('STORE_UNAVAILABLE', message, { retryable: true, cause })
  }

  #usable(): AppTicket | undefined {
    return this.#newest !== undefined && this.#newest.version > this.#rejectedUpTo ? this.#newest : undefined
  }

  #keep(ticket: PushedTicket): void {
    if (ticket.version < (this.#newest?.version ?? 0)) return
    this.#newest = ticket
    if (this.#usable() === undefined) return
    this.#unasked = undefined
    for (const wake of this.#waiting) wake()
  }

  #learn(snapshot: Snapshot): void {
    this.#rejectedUpTo = Math.max(this.#rejectedUpTo, snapshot.rejectedUpTo)
    const { version, value } = snapshot
    this.#isUnreadable = version > 0 && value === undefined
    // Its end is not looked at: a ticket is good until the upstream says otherwise.
    if (value !== undefined && version > (this.#newest?.version ?? 0)) this.#keep({ value, version, id: `${version}` })
  }

  /** Brings this process and the store to the newest ticket either has. */
  #refresh(): Promise<void> {
    return this.#options.kernel.track(this.#compare())
  }

  async #compare(): Promise<void> {
    const { kernel, key } = this.#options
    const { answer } = await kernel.calls.readNow(key)
    this.#learn(answer)
    const newest = this.#newest
    // The store lost it, or was down when it came.
    if (newest !== undefined && newest.version > answer.version && this.#usable() === newest) await this.#publish(newest, newest.version)
  }

  /** Waits until there is a ticket to mint with, having asked for one. Rejects when it cannot be asked for. */
  async #await(signal: AbortSignal): Promise<void> {
    const { kernel, key } = this.#options
    await kernel.hints.switchOn()
    let woken = false
    let wake = () => {}
    const onWake = () => {
      woken = true
      wake()
    }
    const unlisten = kernel.hints.listen(key, onWake)
    this.#waiting.add(onWake)
    signal.addEventListener('abort', onWake, { once: true })
    try {
      for (let round = 0; ; round += 1) {
        woken = false
        await this.#refresh().catch(() => {})
        if (this.#usable() !== undefined) return
        signal.throwIfAborted()
        const couldAsk = this.#unasked === undefined
        // A ticket that comes meanwhile must not wait for a slow reply.
        const moot = new AbortController()
        wake = () => {
          void this.#refresh()
            .catch(() => {})
            .then(() => this.#usable() !== undefined && moot.abort())
        }
        if (woken) wake()
        await this.#requestResend(AbortSignal.any([signal, moot.signal]))
        // Those who wait are to be told something else now: whoever looks again will say it.
        if (couldAsk !== (this.#unasked === undefined)) return
        const growing = Math.min(LONGEST_POLL_MS, FIRST_POLL_MS * 2 ** Math.min(round, 10)) * (0.5 + kernel.random.fraction() / 2)
        const pause = kernel.hints.state === 'on' ? INSURANCE_POLL_MS : growing
        await new Promise<void>((resolve) => {
          const cancel = kernel.clock.schedule(resolve, pause)
          wake = () => {
            cancel()
            resolve()
          }
          if (woken) wake()
        })
      }
    } finally {
      unlisten()
      this.#waiting.delete(onWake)
      signal.removeEventListener('abort', onWake)
    }
  }

  /** Asks for a push, once per fleet in a while: the throttle is a record of its own. Rejects with what no waiting can mend. */
  async #requestResend(signal: AbortSignal): Promise<void> {
    const { kernel, key, config, resend } = this.#options
    const now = kernel.clock.monotonic()
    if (now < this.#resendAt) return
    const throttle = `${key}-resend`
    const attempt = kernel.random.id()
    const claimed = await kernel.calls
      .claim(throttle, attempt, { leaseMs: RESEND_LEASE_MS, seen: 0, rejected: 0, config })
      .catch((error: unknown) => error as TokenError)
    if (isTokenError(claimed)) {
      this.#resendAt = now + RESEND_RETRY_MS
      this.#unasked = claimed
      return
    }
    const { answer, sentAt } = claimed
    const { backoff, lease } = answer.snapshot
    if (answer.kind !== 'granted') {
      const underWayMs = Math.min(lease?.expiresInMs ?? RESEND_UNDER_WAY_MS, RESEND_UNDER_WAY_MS)
      this.#resendAt = sentAt + (answer.kind === 'backoff' ? (backoff?.retryInMs ?? 0) : underWayMs)
      const failure = backoff === undefined || answer.kind !== 'backoff' ? undefined : decodeFailure(backoff.failure, backoff.retryInMs)
      if (failure !== undefined && !failure.retryable) throw failure
      if (answer.kind === 'backoff') this.#unasked = failure
      return
    }

    const deadline = fetchDeadline(sentAt, lease?.expiresInMs ?? RESEND_LEASE_MS)
    const failure = await this.#post(resend, signal, deadline)
    const backoffMs = waitAfter(failure)
    this.#resendAt = kernel.clock.monotonic() + backoffMs
    if (!signal.aborted) this.#unasked = failure
    const outcome = { backoffMs, config, ...(failure === undefined ? {} : { failure: encodeFailure(failure) }) }
    await kernel.calls.settle(throttle, attempt, answer.fence, outcome).catch(() => {})
    if (failure === undefined) kernel.tell(key, { type: 'ticket-requested' })
    else if (!failure.retryable && !signal.aborted) throw failure
  }

  /** A process that was told late of its lease has so much less time, or none. */
  async #post(resend: AppTicketOptions['resend'], signal: AbortSignal, deadline: number): Promise<TokenError | undefined> {
    const { clock } = this.#options.kernel
    const late = new TokenError('UPSTREAM_UNAVAILABLE', 'The request for a new app_ticket got no reply in time.', { retryable: true })
    const leftMs = Math.min(deadline - clock.monotonic(), RESEND_TIMEOUT_MS)
    if (leftMs <= 0) return late
    const controller = new AbortController()
    const stop = () => controller.abort(signal.reason)
    const cancel = clock.schedule(() => controller.abort(late), leftMs)
    signal.addEventListener('abort', stop, { once: true })
    try {
      await resend(controller.signal)
      return undefined
    } catch (error) {
      return isTokenError(error) ? error : late
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }
}

function unreadable(): TokenError {
  const message =
    'The store has an app_ticket that cannot be read with the keys of this process: see encryption.keys. A new one is asked for.'
  return new TokenError('RECORD_UNREADABLE', message, { retryable: false })
}

function waitAfter(failure: TokenError | undefined): number {
  if (failure === undefined) return RESEND_EVERY_MS
  return Math.max(failure.retryable ? RESEND_RETRY_MS : RESEND_EVERY_MS, failure.retryAfterMs ?? 0)
}
