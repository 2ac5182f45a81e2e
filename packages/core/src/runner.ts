import { type Alarm, UNSET } from './alarms.ts'
import { CLOCK_DISAGREEMENT_MS, departure } from './clock.ts'
import type { Credential } from './credential.ts'
import { Effects, type EffectsOwner } from './effects.ts'
import { TokenError } from './errors.ts'
import { type MachineStep, steps } from './events.ts'
import type { Kernel } from './kernel.ts'
import type { Happening } from './machine/happenings.ts'
import { rotates } from './machine/policy.ts'
import { type Held, initialState, isDue, type State, usableToken, wakeAt } from './machine/state.ts'
import { transition } from './machine/transition.ts'
import { type Need, verdict } from './machine/verdict.ts'
import type { Snapshot, Version } from './store.ts'
import type { Token } from './token.ts'
import { aborted, lifeTooShort, Waiters } from './waiters.ts'

/** More than any wall clock says, and whole milliseconds are exact beside it. One number tells when, and whether since. */
const UNREAD = 2 ** 52

/** Who is to be told when the state has come to something. */
interface Watch {
  isSo(state: State): boolean
  tell(): void
}

/** The clocks are compared at least this often while a token is served, milliseconds. */
export const FAST_RANGE_MS = 1_000

/**
 * Runs the machine of one key: feeds it what happens, carries out what it asks for, and settles the callers that wait. There may be a
 * hundred thousand of them, most at rest, so whatever is needed only while something goes on is there only then, and methods are `private`: with
 * a `#` they would be one more field of each.
 *
 * `until` and `served` are the hot path: in the last {@link FAST_RANGE_MS} before `until`, by the wall clock, `served` may be handed out with
 * nothing else looked at. The range is short, so that a suspend or a step of the wall clock leads to the slow path, which compares both clocks.
 */
export class Runner implements Alarm, EffectsOwner {
  until = Number.NEGATIVE_INFINITY
  served: Promise<Token> | undefined
  token: Token | undefined
  /** Wall clock of the last read; less {@link UNREAD} when another token has come since. */
  readAt = 0

  /** Of the alarm of the machine. */
  slot = UNSET
  /** Another one of the same key, with another configuration. */
  sibling: Runner | undefined
  readonly credential: Credential
  readonly #kernel: Kernel
  readonly #number: number
  #effects: Effects | undefined
  #waiters: Waiters | undefined
  /** What has happened while something else was dealt with; there while something is. */
  #queue: Happening[] | undefined
  /** Those to be told when the state has come to something. */
  #watches: Watch[] | undefined
  #state: State
  /**
   * By how much more than at first the wall clock was ahead of the monotonic one when the deadlines of the token that is served were last anchored;
   * where none is, at the last change of the state. Milliseconds, whole: a small number takes no room of its own.
   */
  #apart = 0
  /** While a lease is held and nothing is under way: when that began, by the clock then and as the clocks see it now. */
  #grantedAt: { readonly noted: number; readonly corrected: () => number } | undefined

  /** `number`: no other runner of the manager has it. */
  constructor(kernel: Kernel, credential: Credential, known: { seen: Version; rejected: Version }, number: number) {
    this.credential = credential
    this.#kernel = kernel
    this.#number = number
    this.#state = initialState(known)
  }

  get key(): string {
    return this.credential.key
  }

  get attempts(): string {
    return `${this.#kernel.id}.${this.#number}`
  }

  /** Wall clock of the last read, the measure of recency. */
  get lastReadAt(): number {
    return this.isRead ? this.readAt : this.readAt + UNREAD
  }

  /** Whether anybody has asked since the token came. */
  private get isRead(): boolean {
    return this.readAt > -UNREAD / 2
  }

  get state(): State {
    return this.#state
  }

  get serving(): boolean {
    return usableToken(this.#state, this.#kernel.clock.monotonic()) !== undefined
  }

  get waiting(): number {
    return this.#waiters?.size ?? 0
  }

  /** Whether this key could be forgotten without anybody noticing more than a re-read. A backoff that only this process knows is kept. */
  get evictable(): boolean {
    const { kind } = this.#state.activity
    return this.waiting === 0 && this.#effects === undefined && this.#queue === undefined && kind === 'idle'
  }

  /** The slow path of a caller: everything but a token that is plainly fresh. */
  ask(need: Need, signal: AbortSignal | undefined): Promise<Token> {
    // What rotates is looked up again for whoever comes after it was refused: there each is asked for by itself.
    const joined = signal === undefined && !rotates(this.credential.policy) ? this.#waiters?.join(need, this.#state) : undefined
    if (joined !== undefined) return joined
    if (signal?.aborted) return Promise.reject(aborted(signal.reason))
    const { clock } = this.#kernel
    this.readAt = clock.wall()
    this.compareClocks()
    const now = clock.monotonic()
    const decided = verdict(this.#state, need, now, this.credential.policy)
    if (decided.kind === 'fail') return Promise.reject(decided.failure)
    if (decided.kind === 'short') return Promise.reject(lifeTooShort(need, decided.lifeMs))
    if (decided.kind === 'serve') {
      const { served } = this
      this.attend(now)
      if (served !== undefined) return served
    }
    this.#waiters ??= new Waiters(
      clock,
      () => this.reviewLater(),
      (answered) => this.#kernel.tell(this.key, { type: 'waited', ...answered }),
    )
    const answer = this.#waiters.add(need, signal, decided.kind === 'wait' && decided.again !== undefined ? decided.again : need.until)
    this.dispatch({ type: 'wanted' })
    this.#waiters?.gather(this.#state)
    return answer
  }

  /** The token that may be served now, without any I/O; a renewal that is due begins in the background. */
  peek(): Token | undefined {
    const { clock } = this.#kernel
    this.readAt = clock.wall()
    const { token } = this
    // Thousands may look at once for what is not there yet.
    if (token === undefined) return undefined
    this.compareClocks()
    const now = clock.monotonic()
    if (usableToken(this.#state, now) === undefined) return undefined
    this.attend(now)
    return token
  }

  get seen(): Version {
    return this.#state.seen
  }

  /** Takes over what the store was found to say, as if this runner had asked. */
  learn(snapshot: Snapshot, sentAt: number): void {
    this.dispatch({ type: 'told', sentAt, snapshot, read: false })
  }

  /** Reports that a version is refused; resolves when the store, or for want of it this process, has taken note. */
  reject({ version, value }: Pick<Token, 'version' | 'value'>): Promise<void> {
    this.dispatch({ type: 'rejected', version, value })
    return this.when(({ trouble, activity }) => trouble.rejecting === undefined || activity.kind === 'closed')
  }

  /** Ends the runner. With `finish` a fetch in flight is brought to its end first, and what uses up a secret always. Resolves when nothing is under way. */
  async close(finish: boolean, error: TokenError): Promise<void> {
    this.dispatch({ type: 'close', finish })
    // Called by an observer, it has only been queued: what the step under way still begins has to be waited for too.
    await Promise.resolve()
    if (!finish) this.#waiters?.rejectAll(error)
    while (this.#state.activity.kind !== 'closed' || this.#effects !== undefined) {
      if (this.#effects !== undefined) await this.#effects.whenIdle()
      else await this.when(({ activity }) => activity.kind === 'closed')
    }
    this.#waiters?.rejectAll(error)
    this.stop()
  }

  /** Lets go of everything. The runner is of no use afterwards, and does nothing whoever still has it. */
  stop(): void {
    this.#kernel.alarms.clear(this)
    this.#state = { ...initialState(this.#state), activity: { kind: 'closed' } }
    this.sibling = undefined
    this.until = Number.NEGATIVE_INFINITY
    this.token = undefined
    this.served = undefined
  }

  // Events in

  /** The moment has come for which the machine asked. */
  ring(): void {
    this.dispatch({ type: 'woke' })
  }

  /** The store has pushed that the record has this version; undefined when it may have pushed what was lost. */
  hear(version: Version | undefined): void {
    this.dispatch({ type: 'changed', ...(version === undefined ? {} : { version }) })
  }

  report(happening: Happening): void {
    this.dispatch(happening)
  }

  performed(): void {
    this.#effects = undefined
  }

  private dispatch(happening: Happening): void {
    // An effect that reports back at once, or an observer that asks for a token, must not run inside a half-done transition.
    if (this.#queue !== undefined) {
      this.#queue.push(happening)
      return
    }
    this.#queue = [happening]
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        // A machine that slept wakes up to its timers: what they do with a token must not go by a clock that stood still.
        if (this.disagree() || this.sleptWithLease()) this.advance({ type: 'doubted' })
        this.advance(next)
      }
    } finally {
      this.#queue = undefined
    }
  }

  private advance(happening: Happening): void {
    const { clock, random, hints } = this.#kernel
    const now = clock.monotonic()
    const before = this.#state
    const moment = {
      now,
      chance: random.fraction(),
      waiting: this.waiting > 0,
      asked: this.isRead && usableToken(before, now) !== undefined,
      hints: hints.state,
    }
    const { state, effects } = transition(before, { ...happening, ...moment }, this.credential.policy)
    this.#state = state
    if (state.activity.kind !== 'rereading') this.#grantedAt = undefined
    else if (before.activity.kind !== 'rereading') this.#grantedAt = { noted: now, corrected: departure(clock) }
    if (steps.hasSubscribers && (state !== before || effects.length > 0)) {
      const told: MachineStep = { key: this.key, happening: happening.type, from: before.activity.kind, to: state.activity.kind }
      steps.publish(told)
    }
    for (const effect of effects) {
      if (effect.type === 'notify') this.#kernel.tell(this.key, effect.notice)
      else {
        this.#effects ??= new Effects(this.#kernel, this.credential, this)
        this.#effects.perform(effect)
        if (this.#effects.idle) this.#effects = undefined
      }
    }
    if (state !== before) {
      this.show(now, before.token)
      this.review()
      this.tellWatches()
    } else if (happening.type !== 'woke') return
    const wake = wakeAt(state)
    if (wake === undefined) this.#kernel.alarms.clear(this)
    else this.#kernel.alarms.set(this, wake)
  }

  private when(isSo: (state: State) => boolean): Promise<void> {
    if (isSo(this.#state)) return Promise.resolve()
    return new Promise((tell) => {
      this.#watches ??= []
      this.#watches.push({ isSo, tell })
    })
  }

  private tellWatches(): void {
    const watches = this.#watches
    if (watches === undefined) return
    this.#watches = undefined
    for (const watch of watches) {
      if (watch.isSo(this.#state)) watch.tell()
      else {
        this.#watches ??= []
        this.#watches.push(watch)
      }
    }
  }

  /** What a caller that is served leaves behind: a renewal begun if it is due, and the hot path open again. */
  private attend(now: number): void {
    if (this.#state.hinted || isDue(this.#state, now)) this.dispatch({ type: 'wanted' })
    this.show(now, this.#state.token)
  }

  /** Brings the hot path in line with the state. `before`: the token that was held when that was last done. */
  private show(now: number, before: Held | undefined): void {
    const held = usableToken(this.#state, now)
    const wall = this.#kernel.clock.wall()
    if (held === undefined) {
      this.#apart = this.apart
      this.until = Number.NEGATIVE_INFINITY
      this.token = undefined
      this.served = undefined
      return
    }
    const { value, version, expiresAt } = held
    if (this.token?.version !== version || before?.expiresAt !== expiresAt) this.#apart = this.apart
    if (this.token?.version !== version || this.token.value !== value) {
      this.token = Object.freeze({ value, version, expiresAt: Math.floor(wall + expiresAt - now) })
      this.served = Promise.resolve(this.token)
      this.readAt = this.lastReadAt - UNREAD
    }
    // While a renewal is under way there is nothing a caller would have to start.
    const { activity, hinted } = this.#state
    const quiet = activity.kind !== 'idle'
    const end = quiet ? expiresAt - this.credential.policy.floorMs : held.renewAt
    this.until = hinted ? Number.NEGATIVE_INFINITY : wall + Math.min(FAST_RANGE_MS, end - now, expiresAt - now)
  }

  /** As {@link review}, when the machine may have slept since anything happened: what was good then may have ended. */
  private reviewLater(): void {
    this.compareClocks()
    this.review()
  }

  /** Settles the callers whose time has come and arms the timer for the next. */
  private review(): void {
    if (this.#waiters === undefined) return
    const now = this.#kernel.clock.monotonic()
    this.#waiters.review(
      now,
      (need) => verdict(this.#state, need, now, this.credential.policy),
      () => {
        this.readAt = this.#kernel.clock.wall()
        return this.token as Token // A caller is served only from a usable token, and show() keeps `token` in line with it.
      },
      () => this.timedOut(),
    )
    if (this.#waiters.size === 0) this.#waiters = undefined
  }

  private timedOut(): TokenError {
    const { activity, trouble } = this.#state
    const { failure, storeFailures } = trouble
    if (activity.kind === 'blocked') return activity.failure
    // What the caller waited for is the store: that is what is wrong, however its bound falls between two tries.
    if (storeFailures > 0 && activity.kind !== 'fetching' && failure?.code === 'STORE_UNAVAILABLE') return failure
    const last = failure === undefined ? 'Nothing has failed: the upstream or the store is slow.' : 'The last failure is the cause.'
    return new TokenError('TIMEOUT', `No token for "${this.key}" within the time the caller gave. ${last}`, {
      retryable: true,
      upstream: failure?.upstream,
      cause: failure,
    })
  }

  /** A suspend or a step of the wall clock shows as a disagreement about how much time has passed. */
  private compareClocks(): void {
    if (this.disagree()) this.dispatch({ type: 'doubted' })
  }

  private sleptWithLease(): boolean {
    return this.#grantedAt !== undefined && this.#grantedAt.corrected() < this.#grantedAt.noted
  }

  private disagree(): boolean {
    // A wait counts as a token does: while the machine slept, others have gone on counting.
    if (this.token === undefined && this.#state.activity.kind !== 'cooling') return false
    return Math.abs(this.apart - this.#apart) > CLOCK_DISAGREEMENT_MS
  }

  /** By how much more than at first the wall clock is ahead of the monotonic one now, milliseconds. */
  private get apart(): number {
    const { clock, apart } = this.#kernel
    return Math.round(clock.wall() - clock.monotonic() - apart) + 0 // Not minus zero, which is no small number.
  }
}
