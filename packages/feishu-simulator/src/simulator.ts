import type { Server } from 'node:http'
import { Apps, type Subject, type Subjects } from './apps.ts'
import { Timekeeper } from './clock.ts'
import type { Counters } from './counters.ts'
import { CALLBACK_DEADLINE_MS, Deliveries, type Delivery, type DeliveryAttempt } from './delivery.ts'
import type { Fields } from './endpoints.ts'
import type { CallbackRequest, EventForm } from './event.ts'
import { type Fault, type FaultHandle, type FaultOptions, FaultScript, type FaultTarget } from './faults.ts'
import { credentialOf, type RevokeOptions, type TokenState } from './ledger.ts'
import type { RefreshToken, UserLogin } from './login.ts'
import { Notices } from './notices.ts'
import { type CheckedOptions, checkEventUrl, checkOptions, type FeishuSimulatorOptions } from './options.ts'
import { Quotas } from './quotas.ts'
import { RequestLog, type RequestRecord } from './request-log.ts'
import { listen } from './server.ts'
import { createService } from './service.ts'
import type { SimulatorEvents } from './simulator-events.ts'
import { Tickets } from './tickets.ts'
import type { Consent } from './user-ledger.ts'

/** A running simulator. Made by {@link startFeishuSimulator}. */
export class FeishuSimulator {
  readonly #options: CheckedOptions
  readonly #time: Timekeeper
  readonly #apps: Apps
  readonly #faults = new FaultScript()
  readonly #log = new RequestLog()
  readonly #notices = new Notices<SimulatorEvents>()
  readonly #violations: Error[] = []
  readonly #deliveries: Deliveries
  readonly #tickets: Tickets
  readonly #server: Server
  #url = ''
  #closing: Promise<void> | undefined

  constructor(options: CheckedOptions) {
    const { behaviour, speed } = options
    const time = new Timekeeper(options.clock)
    this.#options = options
    this.#time = time
    this.#apps = new Apps(options, () => time.now())
    this.#deliveries = new Deliveries({
      time,
      deadlineMs: CALLBACK_DEADLINE_MS * speed,
      redeliveryTs: behaviour.redeliveryTs,
      onSent: (delivery) => this.#apps.countTicket(delivery, (tally) => tally.ticketPushed()),
      onAnswered: (attempt) => {
        this.#apps.countTicket(attempt.delivery, (tally) => tally.ticketAnswered(attempt.acknowledged))
        this.#notices.emit('delivery', attempt)
      },
    })
    this.#tickets = new Tickets({ apps: this.#apps, time, deliveries: this.#deliveries, behaviour })
    this.#server = createService({
      apps: this.#apps,
      behaviour,
      time,
      faults: this.#faults,
      quotas: new Quotas(options.quotas),
      log: this.#log,
      notices: this.#notices,
      tickets: this.#tickets,
      onViolation: (error) => this.#violations.push(error instanceof Error ? error : new Error(String(error))),
    })
  }

  /** Base URL, without a slash at its end. */
  get url(): string {
    return this.#url
  }

  /** The simulator's time, milliseconds since the Unix epoch. */
  now(): number {
    return this.#time.now()
  }

  /** The newest 10,000 requests, oldest first. A record fills up while its request is under way. */
  get requests(): readonly RequestRecord[] {
    return this.#log.records
  }

  /** Failures of the simulator itself: the ledger's audit, a clock set back. `close` rejects with them. */
  get violations(): readonly Error[] {
    return this.#violations
  }

  /** What happened so far, in all, of one app, or of one of its tenants or users; a copy. */
  counters(appId?: string, of?: Subject): Counters {
    return this.#apps.counters(appId, of)
  }

  /** Every tenant and user of an app that a request has named, known or not. */
  subjects(appId: string): Subjects {
    return this.#apps.subjects(appId)
  }

  /** What the ledgers know about a token or a ticket of the JS SDK. A refresh token that is used up is `'revoked'`. */
  judge(token: string): TokenState {
    return this.#apps.judge(token)
  }

  /** Kills the newest token of a credential and returns it; `undefined` when there is nothing to kill. */
  revoke(appId: string, options: RevokeOptions): string | undefined {
    return this.#apps.get(appId).ledger.revoke(options.next, credentialOf(options))
  }

  /** The tenant switches the app off: its tokens and mints get 99991662. */
  disableTenant(appId: string, tenantKey: string): void {
    this.#apps.get(appId).disabledTenants.add(tenantKey)
  }

  /** The tenant switches the app on again. */
  enableTenant(appId: string, tenantKey: string): void {
    this.#apps.get(appId).disabledTenants.delete(tenantKey)
  }

  /** The user agrees: returns a code, good for one exchange. */
  issueCode(appId: string, userId: string, consent?: Consent): string {
    return this.#apps.get(appId).users.issueCode(userId, consent)
  }

  /** The newest login of a user, `undefined` before the first. */
  login(appId: string, userId: string): UserLogin | undefined {
    return this.#apps.get(appId).users.login(userId)
  }

  /** Every login there was, oldest first. */
  logins(appId: string): UserLogin[] {
    return this.#apps.get(appId).users.logins()
  }

  /** The refresh tokens that came in two requests or more, of one user or of all, whatever became of those requests. */
  presentedTwice(appId: string, userId?: string): RefreshToken[] {
    return this.#apps.presentedTwice(appId, userId)
  }

  /** Kills the access tokens of a user's newest login, or the login whole. Returns the newest access token; `undefined` before the first. */
  revokeUser(appId: string, userId: string, what: 'access-token' | 'login'): string | undefined {
    return this.#apps.get(appId).users.revoke(userId, what)
  }

  /** Issues a ticket and returns it without pushing it. */
  issueTicket(appId: string): string {
    return this.#apps.get(appId).ledger.issueTicket()
  }

  /** Makes one ticket, or every ticket issued so far, invalid: mints with it get 10012. */
  invalidateTicket(appId: string, ticket?: string): void {
    this.#apps.get(appId).ledger.invalidateTicket(ticket)
  }

  /** Sets where the events of an app are pushed to, from the next attempt on. */
  setEventUrl(appId: string, url: string): void {
    checkEventUrl(url, 'url')
    this.#apps.get(appId).eventUrl = url
  }

  /**
   * Pushes a new ticket, or the `ticket` given, which need not be valid. Resolves with the first attempt, acknowledged or not;
   * redeliveries follow on the simulator's clock.
   */
  pushTicket(appId: string, form?: EventForm & { readonly ticket?: string }): Promise<DeliveryAttempt> {
    return this.#tickets.push(appId, form)
  }

  /** Pushes an event of any type, as {@link pushTicket} does; `event` has a `type` and the fields of that type. */
  pushEvent(appId: string, event: Fields, form?: EventForm): Promise<DeliveryAttempt> {
    return this.#deliveries.push(this.#apps.get(appId), event, form)
  }

  /** Pushes a `url_verification`; acknowledged when the reply echoes the challenge. Never redelivered. */
  pushChallenge(appId: string, form?: EventForm): Promise<DeliveryAttempt> {
    return this.#deliveries.challenge(this.#apps.get(appId), form)
  }

  /** Sends a delivery once more, now, acknowledged before or not, in place of the redelivery that was due next. */
  redeliver(delivery: Delivery): Promise<DeliveryAttempt> {
    return this.#deliveries.redeliver(delivery)
  }

  /** The request `pushEvent` would send, for a test to send itself, whole or tampered with. */
  buildEvent(appId: string, event: Fields, form?: EventForm): CallbackRequest {
    return this.#deliveries.build(this.#apps.get(appId), event, form)
  }

  /** Strikes the next requests to an endpoint, a path, or `'*'`, that no earlier fault strikes. */
  fault(target: FaultTarget, fault: Fault, options: FaultOptions = {}): FaultHandle {
    return this.#faults.add(target, fault, options)
  }

  /** Ends and releases every fault. */
  clearFaults(): void {
    this.#faults.clear()
  }

  /** Calls `listener` on every event of that name until the returned function is called. */
  on<Event extends keyof SimulatorEvents>(event: Event, listener: (value: SimulatorEvents[Event]) => void): () => void {
    return this.#notices.on(event, listener)
  }

  /** The next event of that name that `fits`, from now on: ask before the act that brings it about. Rejects when the simulator closes. */
  next<Event extends keyof SimulatorEvents>(
    event: Event,
    fits?: (value: SimulatorEvents[Event]) => boolean,
  ): Promise<SimulatorEvents[Event]> {
    return this.#notices.next(event, fits)
  }

  /** Begins to listen and to push; called by {@link startFeishuSimulator}. */
  async listen(): Promise<void> {
    this.#url = await listen(this.#server, this.#options.host, this.#options.port)
    if (this.#options.pushTickets === 'scheduled') this.#tickets.schedule(this.#options.ticketEveryMs)
  }

  /**
   * Ends everything at once: open requests and connections are destroyed, callbacks and timers cancelled. Safe to call more than once.
   * Rejects when the simulator itself failed on the way, because then no result obtained with it holds.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#time.stop()
    this.#deliveries.stop()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
    this.#notices.close(new Error('the simulator was closed'))
    if (this.#violations.length > 0) throw new AggregateError(this.#violations, `the simulator failed: ${this.#violations[0]?.message}`)
  }
}

/** Starts a simulator and resolves once it listens. Throws `TypeError` for a wrong option. */
export async function startFeishuSimulator(options: FeishuSimulatorOptions): Promise<FeishuSimulator> {
  const simulator = new FeishuSimulator(checkOptions(options))
  await simulator.listen()
  return simulator
}
