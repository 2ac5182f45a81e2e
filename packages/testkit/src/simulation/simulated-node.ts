import { createTokenManager, type GetOptions, isTokenError, type Token, type TokenEvent, type TokenManager } from '@tokenwell/core'
import { CallerAudit } from './caller-audit.ts'
import type { Circumstances } from './circumstances.ts'
import { alwaysMsOf, longestMinLifeMs } from './core-policy.ts'
import type { Draws } from './random.ts'
import type { PlayedCredential, PlayedProcess, Worth } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Wire } from './wire.ts'

/** Callers that come together, and the most that they wait, milliseconds. */
const BURST = 4
const BURST_WAITS_MS = 6_000
/** Half of those who come together would wait for as long, and wait as one. */
const ALIKE = 0.5
/** Whoever says nothing waits so long, milliseconds: core's default. */
const WAITS_MS = 15_000
/** A report takes so long at most until it is noted, milliseconds: what was refused may have a newer version meanwhile, which is reported, too. */
const REPORTING_MS = 4_500
/** Callers ask for so much life at most, or for what is always to be had if that is more, as far as the policy lets them; milliseconds. */
const MOST_LIFE_MS = 60_000
/**
 * After its grace a process has ended within so long, milliseconds: the exchange of a code takes eleven seconds, what is asked of the store after that, its
 * publication and its lease, two each, and letting go of the store another two.
 */
const CLOSED_WITHIN_MS = 17_000
/** The upstream answers a call with a token within so long, milliseconds. */
const CALL_MS = { min: 10, max: 300 }

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
  /** This process is about to end: what it has not told others by now they may never know. */
  ends(): void
  /** It has ended as it should. */
  left(): void
}

/** What a caller may ask for beside its patience. */
interface Wishes {
  /** Life the token must have left, milliseconds. */
  readonly minLifeMs?: number
  /** Gives up by itself after so long, milliseconds. */
  readonly leavesAfterMs?: number
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
  readonly #after: (ms: number) => Promise<void>
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
      /** Resolves so much later in the process as it is now; never, if that is another by then. */
      readonly after: (ms: number) => Promise<void>
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
    this.#after = parts.after
    this.#callers = this.#noCallers()
  }

  get isUp(): boolean {
    return this.#manager !== undefined
  }

  /** Nothing of it runs: it is not about to end, either. */
  get isDown(): boolean {
    return !this.isUp && this.#whenClosed === undefined
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
    this.#credentials = this.#start({
      index: this.#index,
      manager,
      wire: this.toUpstream,
      isUp,
      pausedAt: () => process.pausedAt,
      sleptAt: () => process.sleptAt,
    })
    if (life > 1) this.#telling.forgotten()
    this.#telling.note(`${process.name} starts`)
  }

  /** Dies without a word. */
  crash(): void {
    this.#telling.ends()
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
    this.#telling.ends()
    this.#telling.note(`${this.process.name} closes within ${graceMs} ms`)
    this.#expectEnd(graceMs)
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

  /** It has closed in time, counted from when it last stood still. */
  #expectEnd(graceMs: number): void {
    const life = this.#lives
    const since = this.#circumstances.now()
    void this.#after(graceMs + CLOSED_WITHIN_MS).then(() => {
      if (life !== this.#lives) return
      if (this.process.pausedAt > since) this.#expectEnd(graceMs)
      else this.#violate(`I9: close({ graceMs: ${graceMs} }) has not come to an end`)
    })
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
    const draws = this.#draws
    const credential = draws.pick(this.#credentials)
    const kind = draws.fraction()
    if (kind < 0.05) this.#look(credential)
    else if (kind < 0.15) void this.get(credential, draws.whole(0, 5_000))
    else if (kind < 0.2) void this.get(credential, WAITS_MS, { minLifeMs: draws.whole(0, mostLifeMs(credential)) })
    else if (kind < 0.25) this.#burst(credential)
    else if (kind < 0.29) void this.get(credential, WAITS_MS, { leavesAfterMs: draws.spread(1, WAITS_MS) })
    else if (kind < 0.36) void this.#use(credential)
    else void this.get(credential, WAITS_MS)
  }

  /** A caller for everything there is. */
  callForAll(): void {
    if (this.#manager === undefined || this.process.isFrozen) return
    for (const credential of this.#credentials) void this.get(credential, WAITS_MS)
  }

  /** A caller who waits up to so long; reports what the upstream refuses. Resolves with what it was given, or undefined. */
  async get(
    credential: PlayedCredential,
    timeoutMs: number,
    { minLifeMs = 0, leavesAfterMs = Number.POSITIVE_INFINITY }: Wishes = {},
  ): Promise<Token | undefined> {
    const { handle } = credential
    const callers = this.#callers
    const caller = callers.comes(credential, Math.min(timeoutMs, leavesAfterMs), minLifeMs)
    this.#telling.count('gets')
    const signal = leavesAfterMs < Number.POSITIVE_INFINITY ? this.#leaving(leavesAfterMs) : undefined
    try {
      const token = await handle.get(optionsOf(timeoutMs, minLifeMs, signal))
      if (callers !== this.#callers) return undefined
      this.#given(credential, token, callers.given(caller, token))
      return token
    } catch (error) {
      if (callers !== this.#callers) return undefined
      callers.failed(caller, error)
      this.#failed(credential, error, signal)
      return undefined
    }
  }

  /** Callers who come in the same moment. */
  #burst(credential: PlayedCredential): void {
    const draws = this.#draws
    const alikeMs = draws.chance(ALIKE) ? draws.pick([WAITS_MS, draws.whole(0, BURST_WAITS_MS)]) : undefined
    for (let count = 0; count < BURST; count += 1) void this.get(credential, alikeMs ?? draws.whole(0, BURST_WAITS_MS))
  }

  /** A caller who leaves it to core to report what the upstream refuses, and to try once more. */
  async #use(credential: PlayedCredential): Promise<void> {
    const { handle } = credential
    const callers = this.#callers
    let caller: ReturnType<CallerAudit['comes']> | undefined = callers.comes(credential, WAITS_MS)
    this.#telling.count('gets')
    let refused: Token | undefined
    let calls = 0
    const reported = Promise.withResolvers<void>()
    const call = async (token: Token): Promise<Worth> => {
      // The process has died since: whatever it does now, nobody is there.
      if (callers !== this.#callers) return 'valid'
      calls += 1
      if (calls > 2) this.#violate(`use() of ${credential.name} called ${calls} times`)
      if (caller !== undefined) this.#notes(credential, token, callers.given(caller, token))
      caller = undefined
      if (refused !== undefined) reported.resolve()
      await this.#after(this.#draws.between(CALL_MS.min, CALL_MS.max))
      const worth = credential.worth(token.value)
      const answer = this.isMisled ? 'revoked' : worth
      if (refused !== undefined || answer === 'valid') return answer
      refused = token
      this.#telling.count('gets')
      this.#telling.count('calls refused')
      caller = callers.comesForAnother(credential, WAITS_MS, REPORTING_MS)
      if (worth !== 'valid') callers.reports(credential, token, reported.promise)
      return answer
    }
    try {
      await handle.use(call, { isRejected: (outcome) => outcome !== 'valid' })
      reported.resolve()
      if (callers !== this.#callers || caller === undefined) return
      // The same token again: it was not tried once more.
      const token = handle.peek()
      if (token !== undefined && token.value === refused?.value) this.#notes(credential, token, callers.given(caller, token))
      else callers.refused(caller, refused?.value ?? '')
    } catch (error) {
      reported.resolve()
      if (callers !== this.#callers) return
      if (caller === undefined) this.#violate(`use() of ${credential.name} failed although its call did not: ${String(error)}`)
      else callers.failed(caller, error)
      this.#failed(credential, error)
    }
  }

  #look(credential: PlayedCredential): void {
    const caller = this.#callers.comesForAnother(credential, 0)
    const token = credential.handle.peek()
    if (token === undefined) this.#callers.leaves(caller)
    else this.#given(credential, token, this.#callers.given(caller, token))
  }

  #given(credential: PlayedCredential, token: Token, news: number | undefined): void {
    const { handle } = credential
    const worth = this.#notes(credential, token, news)
    if (worth !== 'valid') this.#callers.reports(credential, token, handle.reject(token))
    else if (this.isMisled) void handle.reject(token)
  }

  /** What somebody was given, and what it is worth. */
  #notes(credential: PlayedCredential, { value }: Token, news: number | undefined): Worth {
    if (news !== undefined) this.#telling.note(`${this.process.name} ${credential.name} serves ${news} ${value.slice(0, 12)}`)
    const worth = credential.worth(value)
    this.#telling.count(`served ${worth}`)
    credential.given?.(value)
    return worth
  }

  #failed(credential: PlayedCredential, error: unknown, signal?: AbortSignal): void {
    const { name } = credential
    if (isTokenError(error) && error.code === 'ABORTED') {
      if (signal?.aborted !== true) this.#violate(`a caller of ${name} who stayed was told that it had left`)
      this.#telling.count('gets given up')
      return
    }
    this.#telling.count('gets failed')
    this.#telling.note(`${this.process.name} ${name} fails ${isTokenError(error) ? error.code : String(error)}`)
    credential.failed?.(error)
  }

  /** A signal that somebody aborts after so long. */
  #leaving(ms: number): AbortSignal {
    const controller = new AbortController()
    void this.#after(ms).then(() => controller.abort())
    return controller.signal
  }

  #noted(event: TokenEvent): void {
    this.#telling.count(`event ${event.type}`)
    const version = 'version' in event ? ` ${event.version}` : ''
    const name = this.#credentials.find(({ handle }) => handle.key === event.key)?.name ?? event.key
    this.#telling.note(`${this.process.name} ${name} ${event.type}${version}`)
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

/** The most life that callers of a credential ask for, whole milliseconds. */
function mostLifeMs(credential: PlayedCredential): number {
  return Math.floor(Math.min(longestMinLifeMs(credential), Math.max(MOST_LIFE_MS, alwaysMsOf(credential))))
}

/** Most callers say nothing of what they want. */
function optionsOf(timeoutMs: number, minLifeMs: number, signal: AbortSignal | undefined): GetOptions | undefined {
  if (timeoutMs === WAITS_MS && minLifeMs === 0 && signal === undefined) return undefined
  return { timeoutMs, ...(minLifeMs > 0 && { minLifeMs }), ...(signal !== undefined && { signal }) }
}
