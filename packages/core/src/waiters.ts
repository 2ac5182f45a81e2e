import type { Clock } from './clock.ts'
import { TokenError, type TokenErrorCode } from './errors.ts'
import type { State } from './machine/state.ts'
import type { Need, Verdict } from './machine/verdict.ts'
import { Timer } from './timer.ts'
import type { Token } from './token.ts'

/** One caller, or several that nothing tells apart. */
interface Waiter {
  readonly need: Need
  readonly answer: Promise<Token>
  callers: number
  resolve(token: Token): void
  reject(error: TokenError): void
}

/** Callers whose times are no further apart wait as one, milliseconds: the patience of each is as exact as that. */
const TOGETHER_MS = 1

/** Callers that have been answered together: how long each waited, milliseconds, and the code of the error if they got one. */
export interface Answered {
  readonly waitedMs: readonly number[]
  readonly code?: TokenErrorCode
}

/** The callers of one key that could not be served at once. Each is settled exactly once. The process stays up for them. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()
  #callers = 0
  /** Who came last, unless with a signal, and what was known once it had come. */
  #last: Waiter | undefined
  #known: State | undefined
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #onAnswer: (answered: Answered) => void
  readonly #timer: Timer
  /** Those who have been answered and are not yet told of, by the code of their error. */
  readonly #answered = new Map<TokenErrorCode | undefined, number[]>()

  /**
   * `onChange` is called when a caller has given up by itself, and when time alone may have changed somebody's answer; `onAnswer` for those
   * who have been answered.
   */
  constructor(clock: Clock, onChange: () => void, onAnswer: (answered: Answered) => void) {
    this.#clock = clock
    this.#onChange = onChange
    this.#onAnswer = onAnswer
    this.#timer = new Timer(clock, onChange)
  }

  /** How many callers. */
  get size(): number {
    return this.#callers
  }

  /**
   * The answer to a caller who asks for the same as the one before it, at the same time, while nothing else has become known: each would be
   * told the same. Thousands may come at once.
   */
  join(need: Need, known: State): Promise<Token> | undefined {
    if (this.#last === undefined || this.#known !== known || !isSame(this.#last.need, need)) return undefined
    this.#last.callers += 1
    this.#callers += 1
    return this.#last.answer
  }

  /** Whoever comes next may join the last as long as this is what is known. */
  gather(known: State): void {
    this.#known = known
  }

  /** A promise for one more caller, to be looked at again at `again` if nothing has happened by then. Its abort settles it alone. */
  add(need: Need, signal: AbortSignal | undefined, again: number): Promise<Token> {
    this.#timer.noLaterThan(again)
    const { promise: answer, resolve, reject } = Promise.withResolvers<Token>()
    const onAbort = () => {
      waiter.reject(aborted(signal?.reason))
      this.#tell()
      this.#onChange()
    }
    const leave = (code?: TokenErrorCode) => {
      this.#waiting.delete(waiter)
      this.#callers -= waiter.callers
      if (this.#last === waiter) this.#last = undefined
      signal?.removeEventListener('abort', onAbort)
      this.#note(code, this.#clock.monotonic() - need.since, waiter.callers)
    }
    const waiter: Waiter = {
      need,
      answer,
      callers: 1,
      resolve(token) {
        leave()
        resolve(token)
      },
      reject(error) {
        leave(error.code)
        reject(error)
      },
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.add(waiter)
    this.#callers += 1
    this.#last = signal === undefined ? waiter : undefined
    this.#known = undefined
    return answer
  }

  /**
   * Settles everyone whose time has come, and sets the timer for the rest. `judge` decides for one; `timeout` makes the error of one whose
   * patience has ended.
   */
  review(now: number, judge: (need: Need) => Verdict, token: () => Token, timeout: (need: Need) => TokenError): void {
    let next: number | undefined
    for (const waiter of this.#waiting) {
      const verdict = judge(waiter.need)
      if (verdict.kind === 'serve') waiter.resolve(token())
      else if (verdict.kind === 'fail') waiter.reject(verdict.failure)
      else if (verdict.kind === 'short') waiter.reject(lifeTooShort(waiter.need, verdict.lifeMs))
      else if (now >= waiter.need.until) waiter.reject(timeout(waiter.need))
      else next = Math.min(next ?? Number.POSITIVE_INFINITY, waiter.need.until, verdict.again ?? Number.POSITIVE_INFINITY)
    }
    if (next === undefined) this.#timer.cancel()
    else this.#timer.at(next)
    this.#tell()
  }

  rejectAll(error: TokenError): void {
    for (const waiter of this.#waiting) waiter.reject(error)
    this.#timer.cancel()
    this.#tell()
  }

  #note(code: TokenErrorCode | undefined, waitedMs: number, callers: number): void {
    const answered = this.#answered.get(code)
    if (answered === undefined) this.#answered.set(code, new Array<number>(callers).fill(waitedMs))
    else for (let each = 0; each < callers; each++) answered.push(waitedMs)
  }

  /** An observer may ask for a token itself, so this comes last. */
  #tell(): void {
    const answered = [...this.#answered]
    this.#answered.clear()
    for (const [code, waitedMs] of answered) this.#onAnswer(code === undefined ? { waitedMs } : { waitedMs, code })
  }
}

function isSame(one: Need, other: Need): boolean {
  return one.minLifeMs === other.minLifeMs && areClose(one.since, other.since) && areClose(one.until, other.until)
}

function areClose(one: number, other: number): boolean {
  return Math.abs(other - one) < TOGETHER_MS
}

export function aborted(reason: unknown): TokenError {
  return new TokenError('ABORTED', "The caller's signal was aborted; its reason is the cause.", { retryable: false, cause: reason })
}

export function lifeTooShort(need: Need, lifeMs: number): TokenError {
  const message = `The caller asked for a token with ${need.minLifeMs} ms left; the upstream's newest has ${Math.floor(lifeMs)} ms. Ask for less.`
  return new TokenError('LIFE_TOO_SHORT', message, { retryable: false })
}
