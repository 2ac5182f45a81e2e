import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import { longestMinLifeMs } from './machine/policy.ts'
import { checkFunction } from './options.ts'
import { FAST_RANGE_MS, type Runner } from './runner.ts'
import type { Token } from './token.ts'

export interface GetOptions {
  /** Ends this caller's wait, and nobody else's. */
  readonly signal?: AbortSignal
  /** The longest this caller waits, to the millisecond, 0 to 600,000 of them. Default 15,000. */
  readonly timeoutMs?: number
  /**
   * Life the token must have left, milliseconds. Default 0; at most the policy's `renewWindowMs - renewJitterMs`. Tokens that live shorter
   * than twice the window may have less left when they are renewed: a caller who comes more than 5 s before that gets `LIFE_TOO_SHORT`.
   */
  readonly minLifeMs?: number
}

export interface UseOptions extends GetOptions {
  /** Whether an outcome, the call's result or what it threw, says that the token was refused. */
  readonly isRejected?: (outcome: unknown) => boolean
}

/** One credential, shared with the fleet. */
export interface TokenHandle {
  /** The credential's key, without the manager's namespace. Holds no secret. */
  readonly key: string
  /**
   * A token that may be used now. Does no I/O while a valid one is in memory.
   * @throws TokenError whose `code` says why; `TypeError` for options out of range.
   */
  get(options?: GetOptions): Promise<Token>
  /** The token in memory, if it may be used now. No I/O; counts as a read, so that the token is kept warm. */
  peek(): Token | undefined
  /**
   * Calls `call` with a token. If the outcome says that the token was refused, the token is rejected for the whole fleet, and `call` is
   * called once more with the next one. Where the upstream gives out the same token again, where the token has itself come in place of a rejected one
   * within the last ten seconds, or the second call is refused too, the call's own result is returned or its own error thrown.
   *
   * Feishu refuses in the body: return what was read of it, or use `feishuFetch`. A `Response` that nobody has read is a `TypeError` there.
   *
   * @example
   * const body = await tokens.app.use(async ({ value }) => (await fetch(url, { headers: { authorization: `Bearer ${value}` } })).json())
   */
  use<T>(call: (token: Token) => Promise<T>, options?: UseOptions): Promise<T>
  /**
   * Reports that the upstream refuses this token. Takes it from the fleet if it is still the newest, and has it fetched again, once
   * however many report it. A report about an older token changes nothing, and neither does one about a token that has come in place of a rejected one
   * within the last ten seconds. Resolves when the report is noted; never rejects.
   */
  reject(token: Token): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 15_000
const LONGEST_TIMEOUT_MS = 600_000

/** How a handle reaches its runner, which may have been evicted meanwhile. */
export interface RunnerSource {
  readonly clock: Clock
  /** @throws TokenError `CLOSED` */
  runner(credential: Credential): Runner
}

export function createTokenHandle(source: RunnerSource, credential: Credential): TokenHandle {
  return new Handle(source, credential)
}

/** What a handle stands for. @throws Error for one that was not made by {@link createTokenHandle} of this copy of the package */
export function credentialOf(handle: TokenHandle): Credential {
  if (!(handle instanceof Handle)) throw new Error('not a handle of a credential')
  return Handle.credentialOf(handle)
}

class Handle implements TokenHandle {
  static credentialOf(handle: Handle): Credential {
    return handle.#credential
  }

  readonly #source: RunnerSource
  readonly #clock: Clock
  readonly #credential: Credential
  #runner: Runner | undefined

  constructor(source: RunnerSource, credential: Credential) {
    this.#source = source
    this.#clock = source.clock
    this.#credential = credential
  }

  get key(): string {
    return this.#credential.key
  }

  get(options?: GetOptions): Promise<Token> {
    const runner = this.#runner
    if (runner !== undefined && options === undefined) {
      const now = this.#clock.wall()
      const leftMs = runner.until - now
      if (leftMs > 0 && leftMs <= FAST_RANGE_MS && runner.served !== undefined) {
        runner.readAt = now
        return runner.served
      }
    }
    return Handle.#ask(this, options)
  }

  peek(): Token | undefined {
    const runner = this.#runner
    if (runner !== undefined) {
      const now = this.#clock.wall()
      const leftMs = runner.until - now
      if (leftMs > 0 && leftMs <= FAST_RANGE_MS) {
        runner.readAt = now
        return runner.token
      }
    }
    return Handle.#current(this)?.peek()
  }

  async use<T>(call: (token: Token) => Promise<T>, options: UseOptions = {}): Promise<T> {
    const { isRejected = this.#credential.isRejected, ...get } = options
    checkFunction(isRejected, 'isRejected')
    const token = await this.get(get)
    const first = await outcomeOf(call, token)
    if (!isRejected(first.threw ? first.error : first.result)) return settle(first)
    await this.reject(token)
    const next = await this.get(get)
    return settle(next.value === token.value ? first : await outcomeOf(call, next))
  }

  async reject(token: Token): Promise<void> {
    if (typeof token?.version === 'number') await Handle.#current(this)?.reject(token)
  }

  // A private method would be one more field of each handle, of which there may be a hundred thousand: these are of the class.

  static #ask(handle: Handle, options: GetOptions | undefined): Promise<Token> {
    try {
      // Thousands may come at once with nothing to check.
      if (!options) return Handle.#wait(handle, 0, DEFAULT_TIMEOUT_MS, undefined)
      const { timeoutMs = DEFAULT_TIMEOUT_MS, minLifeMs = 0, signal } = options
      checkRange('timeoutMs', timeoutMs, LONGEST_TIMEOUT_MS)
      checkRange('minLifeMs', minLifeMs, longestMinLifeMs(handle.#credential.policy))
      if (signal !== undefined && !(signal instanceof AbortSignal))
        throw new TypeError(`signal: expected an AbortSignal, got ${typeof signal}`)
      return Handle.#wait(handle, minLifeMs, timeoutMs, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Callers who wait as one get one and the same promise: nothing may put another around it. @throws TokenError `CLOSED` */
  static #wait(handle: Handle, minLifeMs: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<Token> {
    const since = handle.#clock.monotonic()
    const runner = handle.#source.runner(handle.#credential)
    handle.#runner = runner
    return runner.ask({ minLifeMs, since, until: since + timeoutMs }, signal)
  }

  /** The runner, or undefined once the manager is closed. */
  static #current(handle: Handle): Runner | undefined {
    try {
      handle.#runner = handle.#source.runner(handle.#credential)
      return handle.#runner
    } catch {
      return undefined
    }
  }
}

function checkRange(name: string, value: unknown, max: number): void {
  if (typeof value !== 'number' || !(value >= 0 && value <= max)) {
    throw new TypeError(`${name}: expected milliseconds from 0 to ${max}, got ${String(value)}`)
  }
}

type Outcome<T> = { readonly threw: false; readonly result: T } | { readonly threw: true; readonly error: unknown }

async function outcomeOf<T>(call: (token: Token) => Promise<T>, token: Token): Promise<Outcome<T>> {
  try {
    return { threw: false, result: await call(token) }
  } catch (error) {
    return { threw: true, error }
  }
}

function settle<T>(outcome: Outcome<T>): T {
  if (outcome.threw) throw outcome.error
  return outcome.result
}
