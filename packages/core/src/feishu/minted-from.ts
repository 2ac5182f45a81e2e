import type { Clock } from '../clock.ts'
import { isTokenError, TokenError } from '../errors.ts'
import { MissingDependency } from '../failure.ts'
import type { Token } from '../token.ts'
import type { TokenHandle } from '../token-handle.ts'

/** How long the one who waits for a source waits before those who wait for it may be told something else, milliseconds. */
const LISTEN_MS = 10_000
/** Between two waits, milliseconds. */
const PAUSE_MS = 1_000
/** A refusal this soon after another is of the source that replaced the first, milliseconds. */
const SAME_TROUBLE_MS = 60_000

/**
 * The credential that another is minted from, as the other sees it: there or not, refused or not.
 *
 * A refusal travels up: the source is rejected by its version, so that a hundred who are refused the same one bring one refetch of it. It
 * never travels down: what was minted from it before may live on.
 */
export class MintedFrom {
  readonly #source: TokenHandle
  readonly #name: string
  readonly #clock: Clock
  /** Why the source could not be had, when last waited for. */
  #why: TokenError | undefined
  /** When the upstream refused the source and it was rejected, by the monotonic clock; nothing has been minted since. */
  #refusedAt = Number.NEGATIVE_INFINITY

  /** `name`: of the source, for messages. */
  constructor(source: TokenHandle, name: string, clock: Clock) {
    this.#source = source
    this.#name = name
    this.#clock = clock
  }

  /** What is missing to mint; undefined when the source is at hand. */
  missing(): MissingDependency | undefined {
    return this.#atHand() === undefined ? this.#absent() : undefined
  }

  /**
   * Mints with the source. Refused, the source is rejected, and if there is another one at once, minted with that.
   * @throws MissingDependency when the source has to be waited for
   * @throws TokenError `TOKEN_REJECTED` when a second source was refused as well
   */
  async mint<T>(assertInTime: () => void, mint: (source: Token) => Promise<T>): Promise<T> {
    const token = this.#atHand()
    if (token === undefined) throw this.#absent()
    try {
      return await this.#tryWith(token, mint)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const now = this.#clock.monotonic()
      if (now < this.#refusedAt + SAME_TROUBLE_MS) {
        // The next try, after a backoff, begins anew.
        this.#refusedAt = Number.NEGATIVE_INFINITY
        throw error
      }
      this.#refusedAt = now
      await this.#source.reject(token)
      const next = this.#atHand()
      if (next === undefined) throw this.#absent()
      if (next.value === token.value) {
        // It has come in place of another just now, or others are served with it: one more would be no better. Nothing was rejected, so the next try may be.
        this.#refusedAt = Number.NEGATIVE_INFINITY
        throw error
      }
      assertInTime()
      return await this.#tryWith(next, mint)
    }
  }

  /** One that cannot be read is not: whoever waits for it is told why. */
  #atHand(): Token | undefined {
    try {
      return this.#source.peek()
    } catch {
      return undefined
    }
  }

  async #tryWith<T>(token: Token, mint: (source: Token) => Promise<T>): Promise<T> {
    const minted = await mint(token)
    this.#refusedAt = Number.NEGATIVE_INFINITY
    return minted
  }

  #absent(): MissingDependency {
    const failure = this.#why ?? new TokenError('TIMEOUT', `This needs the ${this.#name}, which has not come yet.`, { retryable: true })
    return new MissingDependency(failure, (signal) => this.#await(signal))
  }

  /** Resolves when the source is there, or when there is something new to say about why it is not. */
  async #await(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#source.get({ signal, timeoutMs: LISTEN_MS })
        this.#why = undefined
        return
      } catch (error) {
        if (!isTokenError(error) || !error.retryable) throw error
        const known = this.#why
        this.#why = error
        if (known?.code !== error.code) return
      }
      // One that fails at once, waiting out a backoff of its own, is not asked without pause.
      await this.#pause(signal)
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = this.#clock.schedule(end, PAUSE_MS)
      signal.addEventListener('abort', end, { once: true })
    })
  }
}

function isRefusal(error: unknown): boolean {
  return isTokenError(error) && error.code === 'TOKEN_REJECTED'
}
