import { createTokenManager, isTokenError, type Token, type TokenEvent, type TokenManager } from '@tokenwell/core'
import { CallerAudit, type Circumstances } from './caller-audit.ts'
import type { Draws } from './random.ts'
import type { PlayedCredential, PlayedProcess } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Wire } from './wire.ts'

/** Callers that come together, and the most that they wait, milliseconds. */
const BURST = 4
const BURST_WAITS_MS = 6_000

/** What a process of a world tells about itself. */
export interface Telling {
  note(line: string): void
  violate(what: string): void
  count(what: string): void
  /** This process knows nothing of what it knew. */
  forgotten(): void
  /** The store does not answer it about a key of the store's. */
  unreachable(key: string): void
  noted(event: TokenEvent): void
  /** This process has ended as it should. */
  left(): void
}

/** A process that runs the real core, and its callers. Killed, it can be started again. */
export class SimulatedNode {
  readonly process: SimulatedProcess
  readonly toStore: Wire
  readonly toUpstream: Wire
  /** Its callers report whatever they are given, good or not. */
  isMisled = false
  readonly #index: number
  readonly #store: SimulatedStore
  readonly #start: (process: PlayedProcess) => readonly PlayedCredential[]
  readonly #draws: Draws
  readonly #circumstances: Circumstances
  readonly #telling: Telling
  #manager: TokenManager | undefined
  #credentials: readonly PlayedCredential[] = []
  #callers: CallerAudit
  #lives = 0
  /** Who is to be told when it has ended, while it does. */
  #whenClosed: (() => void)[] | undefined

  constructor(
    index: number,
    parts: {
      readonly process: SimulatedProcess
      readonly toStore: Wire
      readonly toUpstream: Wire
      readonly store: SimulatedStore
      readonly start: (process: PlayedProcess) => readonly PlayedCredential[]
      readonly draws: Draws
      readonly circumstances: Circumstances
      readonly telling: Telling
    },
  ) {
    this.#index = index
    this.process = parts.process
    this.toStore = parts.toStore
    this.toUpstream = parts.toUpstream
    this.#store = parts.store
    this.#start = parts.start
    this.#draws = parts.draws
    this.#circumstances = parts.circumstances
    this.#telling = parts.telling
    this.#callers = this.#noCallers()
  }

  get isUp(): boolean {
    return this.#manager !== undefined
  }

  get credentials(): readonly PlayedCredential[] {
    return this.#credentials
  }

  start(): void {
    const { process } = this
    this.#lives += 1
    const callers = this.#noCallers()
    this.#callers = callers
    const life = this.#lives
    const manager = createTokenManager({
      store: this.#store.over(this.toStore, process, {
        told: (snapshot) => callers.told(snapshot),
        unreachable: (key) => {
          if (life === this.#lives) this.#telling.unreachable(key)
        },
      }),
      clock: process.clock,
      random: { fraction: () => this.#draws.fraction(), id: () => `${process.name}.${this.#draws.whole(0, 2 ** 31).toString(36)}` },
      onEvent: (event) => {
        if (life === this.#lives) this.#noted(event)
      },
    })
    this.#manager = manager
    const isUp = () => life === this.#lives && this.#manager === manager
    this.#credentials = this.#start({ index: this.#index, manager, wire: this.toUpstream, isUp, pausedAt: () => process.pausedAt })
    if (life > 1) this.#telling.forgotten()
    this.#telling.note(`${process.name} starts`)
  }

  /** Dies without a word. */
  crash(): void {
    this.#manager = undefined
    this.#whenClosed = undefined
    this.#lives += 1
    this.#callers = this.#noCallers()
    this.process.kill()
    this.#telling.note(`${this.process.name} crashes`)
  }

  /** Ends as it should. `then` is called when it has. */
  close(graceMs: number, then: () => void): void {
    const manager = this.#manager
    if (manager === undefined) {
      // Told twice, it ends once.
      if (this.#whenClosed === undefined) then()
      else this.#whenClosed.push(then)
      return
    }
    const whenClosed = [then]
    this.#whenClosed = whenClosed
    const life = this.#lives
    this.#manager = undefined
    this.#callers.closes()
    this.#telling.note(`${this.process.name} closes within ${graceMs} ms`)
    manager.close({ graceMs }).then(
      () => {
        if (life !== this.#lives) return
        const { waiting } = this.#callers
        if (waiting > 0) this.#violate(`I8: ${waiting} callers were left unanswered by close()`)
        if (this.process.timers > 0) this.#violate(`I9: ${this.process.timers} timers were left by close()`)
        this.#telling.left()
        this.crash()
        for (const each of whenClosed) each()
      },
      (error: unknown) => this.#violate(`I9: close() failed: ${String(error)}`),
    )
  }

  /** What was asked before may be answered late: the process was frozen, or its clocks were set. */
  disturb(): void {
    this.#callers.disturb()
  }

  /** No caller may be waiting any more who was to be answered by now. */
  checkOpen(): void {
    this.#callers.checkOpen()
  }

  /** Some caller of this process, or some at once. */
  call(): void {
    if (this.#manager === undefined || this.process.isFrozen) return
    const credential = this.#draws.pick(this.#credentials)
    const kind = this.#draws.fraction()
    if (kind < 0.05) this.#look(credential)
    else if (kind < 0.15) void this.get(credential, this.#draws.whole(0, 5_000))
    else if (kind < 0.2) void this.get(credential, 15_000, this.#draws.whole(0, 60_000))
    else if (kind < 0.25) for (let count = 0; count < BURST; count += 1) void this.get(credential, this.#draws.whole(0, BURST_WAITS_MS))
    else void this.get(credential, 15_000)
  }

  /** A caller for everything there is. */
  callForAll(): void {
    if (this.#manager === undefined || this.process.isFrozen) return
    for (const credential of this.#credentials) void this.get(credential, 15_000)
  }

  /** A caller who waits up to so long; reports what the upstream refuses. Resolves with what it was given, or undefined. */
  async get(credential: PlayedCredential, timeoutMs: number, minLifeMs = 0): Promise<Token | undefined> {
    const { name, handle } = credential
    const callers = this.#callers
    const caller = callers.comes(credential, timeoutMs, minLifeMs)
    this.#telling.count('gets')
    try {
      const token = await handle.get({ timeoutMs, minLifeMs })
      if (callers !== this.#callers) return undefined
      this.#given(credential, token, callers.given(caller, token))
      return token
    } catch (error) {
      if (callers !== this.#callers) return undefined
      callers.failed(caller, error)
      this.#telling.count('gets failed')
      this.#telling.note(`${this.process.name} ${name} fails ${isTokenError(error) ? error.code : String(error)}`)
      credential.failed?.(error)
      return undefined
    }
  }

  #look(credential: PlayedCredential): void {
    const caller = this.#callers.comes(credential, 0, 1)
    const token = credential.handle.peek()
    if (token === undefined) this.#callers.leaves(caller)
    else this.#given(credential, token, this.#callers.given(caller, token))
  }

  #given(credential: PlayedCredential, token: Token, news: number | undefined): void {
    const { name, handle } = credential
    const worth = credential.worth(token.value)
    if (news !== undefined) this.#telling.note(`${this.process.name} ${name} serves ${news} ${token.value.slice(0, 12)}`)
    this.#telling.count(`served ${worth}`)
    if (worth !== 'valid') this.#callers.reports(credential, token, handle.reject(token))
    else if (this.isMisled) void handle.reject(token)
  }

  #noted(event: TokenEvent): void {
    this.#telling.count(`event ${event.type}`)
    const version = 'version' in event ? ` ${event.version}` : ''
    this.#telling.note(`${this.process.name} ${event.type}${version}`)
    this.#callers.noted(event)
    this.#telling.noted(event)
  }

  #noCallers(): CallerAudit {
    return new CallerAudit(this.process, this.#circumstances, (what) => this.#telling.violate(what))
  }

  #violate(what: string): void {
    this.#telling.violate(`${this.process.name}: ${what}`)
  }
}
