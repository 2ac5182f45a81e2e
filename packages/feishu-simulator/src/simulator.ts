import type { Server } from 'node:http'
import { Timekeeper } from './clock.ts'
import { type Counters, Tally } from './counters.ts'
import { CALLBACK_DEADLINE_MS, Deliveries, type Delivery, type DeliveryAttempt, type Subscriber } from './delivery.ts'
import { answer, claimedApp, type Effect, type Endpoint, type Fields } from './endpoints.ts'
import type { CallbackRequest, EventForm } from './event.ts'
import { type Fault, type FaultHandle, FaultScript, type FaultTarget } from './faults.ts'
import { type AfterRevocation, AppLedger, type TokenState } from './ledger.ts'
import { Notices } from './notices.ts'
import { type CheckedOptions, checkEventUrl, checkOptions, type FeishuSimulatorOptions } from './options.ts'
import { RequestLog, type RequestRecord } from './request-log.ts'
import { createSimulatorServer, listen } from './server.ts'

/** What `on` and `next` report. */
export interface SimulatorEvents {
  /** A request has arrived whole; nothing has been decided about it. */
  readonly request: RequestRecord
  /** A fault holds a request or its reply back, its timer is set: the moment to advance a virtual clock. Once for each piece of a slow body. */
  readonly held: RequestRecord
  /** A request was answered or broken off. */
  readonly reply: RequestRecord
  /** A callback attempt ended, acknowledged or not. */
  readonly delivery: DeliveryAttempt
}

/** An app while the simulator runs. */
interface RunningApp extends Subscriber {
  readonly appSecret: string
  readonly ledger: AppLedger
  readonly tally: Tally
}

/** A running simulator. Made by {@link startFeishuSimulator}. */
export class FeishuSimulator {
  readonly #options: CheckedOptions
  readonly #time: Timekeeper
  readonly #apps: ReadonlyMap<string, RunningApp>
  readonly #total = new Tally()
  readonly #faults = new FaultScript()
  readonly #log = new RequestLog()
  readonly #notices = new Notices<SimulatorEvents>()
  readonly #violations: Error[] = []
  readonly #deliveries: Deliveries
  readonly #server: Server
  #url = ''
  #closing: Promise<void> | undefined

  constructor(options: CheckedOptions) {
    const { behaviour, speed, tokenLifeMs } = options
    const time = new Timekeeper(options.clock)
    this.#options = options
    this.#time = time
    const { ticketLifeMs, ticketsKept, tokenForm } = behaviour
    const newLedger = (): AppLedger => new AppLedger({ now: () => time.now(), tokenLifeMs, ticketLifeMs, ticketsKept, tokenForm })
    this.#apps = new Map(
      options.apps.map((app) => [app.appId, { signed: app.encryptKey !== undefined, ...app, ledger: newLedger(), tally: new Tally() }]),
    )
    this.#deliveries = new Deliveries({
      time,
      deadlineMs: CALLBACK_DEADLINE_MS * speed,
      redeliveryTs: behaviour.redeliveryTs,
      onSent: (delivery) => this.#count(delivery, (tally) => tally.ticketPushed()),
      onAnswered: (attempt) => {
        this.#count(attempt.delivery, (tally) => tally.ticketAnswered(attempt.acknowledged))
        this.#notices.emit('delivery', attempt)
      },
    })
    this.#server = this.#createServer()
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

  /** What happened so far, of one app or in all; a copy. */
  counters(appId?: string): Counters {
    return (appId === undefined ? this.#total : this.#app(appId).tally).snapshot()
  }

  /** What the ledgers know about an app or tenant token. */
  judge(token: string): TokenState {
    for (const { ledger } of this.#apps.values()) {
      const state = ledger.judge(token)
      if (state !== 'unknown') return state
    }
    return 'unknown'
  }

  /**
   * Kills the newest token of the app, or of one of its tenants, and returns it; `undefined` when there is nothing to kill.
   * `next: 'new'`: the next mint makes a new token. `next: 'same'`: mints give the dead one back while it has 30 minutes left; a second
   * `revoke` can turn that into `'new'`.
   */
  revoke(appId: string, options: { readonly next: AfterRevocation; readonly tenantKey?: string }): string | undefined {
    return this.#app(appId).ledger.revoke(options.next, options.tenantKey)
  }

  /** Issues a ticket and returns it without pushing it. */
  issueTicket(appId: string): string {
    return this.#app(appId).ledger.issueTicket()
  }

  /** Makes one ticket, or every ticket issued so far, invalid: mints with it get 10012. */
  invalidateTicket(appId: string, ticket?: string): void {
    this.#app(appId).ledger.invalidateTicket(ticket)
  }

  /** Sets where the events of an app are pushed to, from the next attempt on. */
  setEventUrl(appId: string, url: string): void {
    checkEventUrl(url, 'url')
    this.#app(appId).eventUrl = url
  }

  /**
   * Pushes a new ticket, or the `ticket` given, which need not be valid. Resolves with the first attempt, acknowledged or not;
   * redeliveries follow on the simulator's clock.
   */
  pushTicket(appId: string, { ticket, ...form }: EventForm & { readonly ticket?: string } = {}): Promise<DeliveryAttempt> {
    const app = this.#app(appId)
    return this.pushEvent(appId, { type: 'app_ticket', app_ticket: ticket ?? app.ledger.issueTicket() }, form)
  }

  /** Pushes an event of any type, as {@link pushTicket} does; `event` has a `type` and the fields of that type. */
  pushEvent(appId: string, event: Fields, form?: EventForm): Promise<DeliveryAttempt> {
    return this.#deliveries.push(this.#app(appId), event, form)
  }

  /** Pushes a `url_verification`; acknowledged when the reply echoes the challenge. Never redelivered. */
  pushChallenge(appId: string, form?: EventForm): Promise<DeliveryAttempt> {
    return this.#deliveries.challenge(this.#app(appId), form)
  }

  /** Sends a delivery once more, now, acknowledged before or not, in place of the redelivery that was due next. */
  redeliver(delivery: Delivery): Promise<DeliveryAttempt> {
    return this.#deliveries.redeliver(delivery)
  }

  /** The request `pushEvent` would send, for a test to send itself, whole or tampered with. */
  buildEvent(appId: string, event: Fields, form?: EventForm): CallbackRequest {
    return this.#deliveries.build(this.#app(appId), event, form)
  }

  /** Strikes the next `times` (default 1) requests to an endpoint, a path, or `'*'`, that no earlier fault strikes. */
  fault(target: FaultTarget, fault: Fault, { times = 1 }: { readonly times?: number } = {}): FaultHandle {
    return this.#faults.add(target, fault, times)
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
    if (this.#options.pushTickets === 'scheduled') this.#scheduleTickets()
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

  #createServer(): Server {
    const platform = { apps: this.#apps, behaviour: this.#options.behaviour }
    return createSimulatorServer({
      time: this.#time,
      faults: this.#faults,
      log: this.#log,
      rateLimitStatus: platform.behaviour.rateLimitStatus,
      appOf: (fields, authorization) => claimedApp(fields, authorization, platform),
      answer: (call) => {
        const decided = answer(call, platform)
        if (decided.effect) this.#effect(this.#app(decided.effect.appId), decided.effect.kind, call.endpoint)
        return decided
      },
      onStarted: ({ endpoint }) => this.#total.requestStarted(endpoint),
      onReceived: (record) => {
        this.#tallyOf(record.appId)?.requestStarted(record.endpoint)
        this.#notices.emit('request', record)
      },
      onHeld: (record) => this.#notices.emit('held', record),
      onEnded: (record) => {
        for (const tally of [this.#total, this.#tallyOf(record.appId)]) tally?.requestEnded(record)
        this.#notices.emit('reply', record)
      },
      onViolation: (error) => this.#violations.push(error instanceof Error ? error : new Error(String(error))),
    })
  }

  #effect(app: RunningApp, effect: Effect, endpoint: Endpoint): void {
    for (const tally of [this.#total, app.tally]) tally.brought(effect, endpoint)
    if (effect !== 'resend') return
    const { resend, resendDelayMs } = this.#options.behaviour
    const push = (): void => {
      const ticket = resend === 'same' ? app.ledger.newestTicket() : undefined
      void this.pushTicket(app.appId, ticket === undefined ? {} : { ticket })
    }
    if (resendDelayMs > 0) this.#time.after(resendDelayMs, push)
    else push()
  }

  #scheduleTickets(): void {
    this.#time.after(this.#options.ticketEveryMs, () => {
      this.#scheduleTickets()
      for (const appId of this.#apps.keys()) void this.pushTicket(appId)
    })
  }

  #count({ appId, type }: Delivery, count: (tally: Tally) => void): void {
    if (type !== 'app_ticket') return
    for (const tally of [this.#total, this.#app(appId).tally]) count(tally)
  }

  #tallyOf(appId: string | undefined): Tally | undefined {
    return appId === undefined ? undefined : this.#apps.get(appId)?.tally
  }

  #app(appId: string): RunningApp {
    const app = this.#apps.get(appId)
    if (!app) throw new TypeError(`app '${appId}' is not simulated; known: ${[...this.#apps.keys()].join(', ')}`)
    return app
  }
}

/** Starts a simulator and resolves once it listens. Throws `TypeError` for a wrong option. */
export async function startFeishuSimulator(options: FeishuSimulatorOptions): Promise<FeishuSimulator> {
  const simulator = new FeishuSimulator(checkOptions(options))
  await simulator.listen()
  return simulator
}
