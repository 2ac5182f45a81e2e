import { createTokenManager, isTokenError, type Token, type TokenEvent, type TokenManager } from '@tokenwell/core'
import type { Draws } from './random.ts'
import type { PlayedCredential, PlayedProcess } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Wire } from './wire.ts'

/** How much later than its bound a caller may be answered, milliseconds: what arrives at the same moment is in order. */
const SLACK_MS = 5

/**
 * With more life left than this in a token that is at hand, nobody waits for a newer one, milliseconds. With less a caller may, and may learn
 * meanwhile that it is rejected.
 */
const FLOOR_MS = 60_000
/** The store counts a life from the grant, at most a lease before the token came: its end may turn out to be so much earlier, milliseconds. */
const EARLIER_MS = 12_000

/** What a process of a world tells about itself. */
export interface Telling {
  note(line: string): void
  violate(what: string): void
  count(what: string): void
  /** Whether a token may have been given a longer life than it has, by a store whose clock was set back. */
  isLifeInDoubt(): boolean
  /** Whether what a token said of its end may not hold any more, since the store's clock was set. */
  isEndMoved(): boolean
  /** This process is without the store, or knows nothing of what it knew. */
  alone(index: number): void
}

interface Caller {
  readonly what: string
  readonly askedAt: number
  readonly boundMs: number
  /** What was at hand when it came. */
  readonly held: Token | undefined
}

/** A process that runs the real core, and its callers. Killed, it can be started again. */
export class SimulatedNode {
  readonly process: SimulatedProcess
  readonly toStore: Wire
  readonly toUpstream: Wire
  readonly #index: number
  readonly #store: SimulatedStore
  readonly #start: (process: PlayedProcess) => readonly PlayedCredential[]
  readonly #draws: Draws
  readonly #telling: Telling
  #manager: TokenManager | undefined
  #credentials: readonly PlayedCredential[] = []
  #callers = new Set<Caller>()
  /** By credential: the highest version that callers were given, and the highest that they were told is rejected. */
  #served = new Map<string, number>()
  #rejected = new Map<string, number>()
  #disturbances = 0
  #lives = 0

  constructor(
    index: number,
    parts: {
      readonly process: SimulatedProcess
      readonly toStore: Wire
      readonly toUpstream: Wire
      readonly store: SimulatedStore
      readonly start: (process: PlayedProcess) => readonly PlayedCredential[]
      readonly draws: Draws
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
    this.#telling = parts.telling
  }

  get isUp(): boolean {
    return this.#manager !== undefined
  }

  /** Callers that were not answered yet. */
  get waiting(): number {
    return this.#callers.size
  }

  get credentials(): readonly PlayedCredential[] {
    return this.#credentials
  }

  start(): void {
    const { process } = this
    this.#lives += 1
    this.#callers = new Set()
    this.#served = new Map()
    this.#rejected = new Map()
    const life = this.#lives
    const manager = createTokenManager({
      store: this.#store.over(this.toStore, process),
      clock: process.clock,
      random: { fraction: () => this.#draws.fraction(), id: () => `${process.name}.${this.#draws.whole(0, 2 ** 31).toString(36)}` },
      onEvent: (event) => {
        if (life === this.#lives) this.#noted(event)
      },
    })
    this.#manager = manager
    const isUp = () => life === this.#lives && this.#manager === manager
    this.#credentials = this.#start({ index: this.#index, manager, wire: this.toUpstream, isUp })
    if (life > 1) this.#telling.alone(this.#index)
    this.#telling.note(`${process.name} starts`)
  }

  /** Dies without a word. */
  crash(): void {
    this.#manager = undefined
    this.#lives += 1
    this.#callers = new Set()
    this.process.kill()
    this.#telling.note(`${this.process.name} crashes`)
  }

  /** Ends as it should. `then` is called when it has. */
  close(graceMs: number, then: () => void): void {
    const manager = this.#manager
    if (manager === undefined) {
      then()
      return
    }
    const life = this.#lives
    this.#manager = undefined
    this.#telling.note(`${this.process.name} closes within ${graceMs} ms`)
    manager.close({ graceMs }).then(
      () => {
        if (life !== this.#lives) return
        if (this.#callers.size > 0) this.#violate(`I8: ${this.#callers.size} callers were left unanswered by close()`)
        if (this.process.timers > 0) this.#violate(`I9: ${this.process.timers} timers were left by close()`)
        this.crash()
        then()
      },
      (error: unknown) => this.#violate(`I9: close() failed: ${String(error)}`),
    )
  }

  /** What was asked before may be answered late: the process was frozen, or its clocks were set. */
  disturb(): void {
    this.#disturbances += 1
  }

  /** One caller of this process, of some kind. */
  call(): void {
    if (this.#manager === undefined || this.process.isFrozen) return
    const credential = this.#draws.pick(this.#credentials)
    const kind = this.#draws.fraction()
    if (kind < 0.05) this.#look(credential)
    else if (kind < 0.15) this.get(credential, this.#draws.whole(0, 5_000))
    else if (kind < 0.2) void this.get(credential, 15_000, this.#draws.whole(0, 60_000))
    else void this.get(credential, 15_000)
  }

  /** A caller who waits up to so long; reports what the upstream refuses. Resolves with what it was given, or undefined. */
  async get(credential: PlayedCredential, timeoutMs: number, minLifeMs = 0): Promise<Token | undefined> {
    const { name, handle } = credential
    const held = minLifeMs === 0 ? handle.peek() : undefined
    const caller: Caller = { what: name, askedAt: this.process.clock.monotonic(), boundMs: timeoutMs, held }
    const life = this.#lives
    const before = { served: this.#served.get(name) ?? 0, rejected: this.#rejected.get(name) ?? 0 }
    const undisturbed = this.#disturbances
    this.#callers.add(caller)
    this.#telling.count('gets')
    try {
      const token = await handle.get({ timeoutMs, minLifeMs })
      if (life !== this.#lives) return undefined
      this.#answered(caller, undisturbed)
      this.#given(credential, token, before)
      return token
    } catch (error) {
      if (life !== this.#lives) return undefined
      this.#answered(caller, undisturbed)
      this.#telling.count('gets failed')
      this.#telling.note(`${this.process.name} ${name} fails ${isTokenError(error) ? error.code : String(error)}`)
      if (!isTokenError(error)) this.#violate(`a caller got ${String(error)}`)
      credential.failed?.(error)
      return undefined
    }
  }

  #look(credential: PlayedCredential): void {
    const served = this.#served.get(credential.name) ?? 0
    const rejected = this.#rejected.get(credential.name) ?? 0
    const token = credential.handle.peek()
    if (token !== undefined) this.#given(credential, token, { served, rejected })
  }

  #answered(caller: Caller, undisturbed: number): void {
    const { what, askedAt, boundMs, held } = caller
    if (!this.#callers.delete(caller)) this.#violate(`I8: a caller of ${what} was answered twice`)
    if (undisturbed !== this.#disturbances) return
    const { monotonic, wall } = this.process.clock
    const waitedMs = monotonic() - askedAt
    if (waitedMs > boundMs + SLACK_MS) {
      this.#violate(`I4: a caller of ${what} was answered ${waitedMs.toFixed(0)} ms after it came, its bound being ${boundMs} ms`)
    }
    if (held === undefined || held.version <= (this.#rejected.get(what) ?? 0) || this.#telling.isEndMoved()) return
    const lifeMs = held.expiresAt - EARLIER_MS - wall() + waitedMs
    if (lifeMs > FLOOR_MS && waitedMs > SLACK_MS) {
      this.#violate(`a caller of ${what} waited ${waitedMs.toFixed(0)} ms with ${held.version} at hand`)
    }
  }

  #given(credential: PlayedCredential, token: Token, before: { readonly served: number; readonly rejected: number }): void {
    const { name, handle } = credential
    const worth = credential.worth(token.value)
    if (token.version < before.served) this.#violate(`I5: ${name} ${token.version} was served after ${before.served}`)
    if (token.version <= before.rejected) this.#violate(`I5: ${name} ${token.version} was served and known to be rejected`)
    if (worth === 'unknown') this.#violate(`${name} ${token.version} was served, which nobody gave out`)
    if (worth === 'ended') {
      if (!this.#telling.isLifeInDoubt()) this.#violate(`I5: ${name} ${token.version} was served after its end`)
      else this.#telling.count('served after its end, the clock of the store set back')
    }
    if (token.version > (this.#served.get(name) ?? 0)) {
      this.#served.set(name, token.version)
      this.#telling.note(`${this.process.name} ${name} serves ${token.version} ${token.value.slice(0, 12)}`)
    }
    this.#telling.count(`served ${worth}`)
    if (worth !== 'valid') void handle.reject(token)
  }

  #noted(event: TokenEvent): void {
    this.#telling.count(`event ${event.type}`)
    // A lease that ran out in doubt is no failure that others would wait after.
    if (event.type === 'detached' || event.type === 'outcome-unknown') this.#telling.alone(this.#index)
    // The store is asked before anybody is served.
    if (event.type === 'doubted') this.disturb()
    const version = 'version' in event ? ` ${event.version}` : ''
    this.#telling.note(`${this.process.name} ${event.type}${version}`)
    if (event.type !== 'rejected') return
    for (const { name, handle } of this.#credentials) {
      if (handle.key === event.key) this.#rejected.set(name, Math.max(this.#rejected.get(name) ?? 0, event.version))
    }
  }

  #violate(what: string): void {
    this.#telling.violate(`${this.process.name}: ${what}`)
  }
}
