import { isTokenError, type Token, type TokenHandle } from '@tokenwell/core'
import type { Draws } from '../../packages/testkit/src/simulation/random.ts'
import { digest, type Entry, type LastServed, machineNow } from './entry.ts'

interface Watch {
  readonly node: string
  /** Who comes next, and in which manner. */
  readonly draws: Draws
  readonly wall: () => number
  /** The highest version of this key that the store has called rejected. */
  readonly rejectedUpTo: (key: string) => number
  /** Calls an API of the platform. @returns what it answers */
  readonly api: (token: Token) => Promise<unknown>
  /** `token`: the value behind the digest of an entry that says that another token is served. */
  readonly tell: (entry: Entry, token?: string) => void
}

/** Manners of calling, and the share of each. The rest asks and waits as long as it takes. */
const SHARES = { minLife: 0.1, impatient: 0.1, leaving: 0.02, peek: 0.05, use: 0.03, reject: 0.000_4 }

/** As core's own. */
const DEFAULT_BOUND_MS = 15_000
/** Not more than half the life of the shortest token that is ever asked for like that. */
const LONGEST_MIN_LIFE_MS = 12_000
const TALLY_EVERY_MS = 1_000
/** Who waits for less is not worth an entry, milliseconds. */
const WORTH_TELLING_MS = 1_000

/** Callers of many tokens who come when they come, whatever became of those before them, in every manner there is. */
export class Traffic {
  readonly #handles: readonly TokenHandle[]
  readonly #watch: Watch
  readonly #underWay = new Set<Promise<void>>()
  readonly #current = new Map<string, LastServed>()
  readonly #told = new Set<string>()
  #served = 0
  #failed: Record<string, number> = {}
  #asked = 0
  #settled = 0
  #timers: NodeJS.Timeout[] = []

  constructor(handles: readonly TokenHandle[], watch: Watch) {
    this.#handles = handles
    this.#watch = watch
  }

  get asked(): number {
    return this.#asked
  }

  get settled(): number {
    return this.#settled
  }

  start(everyMs: number): void {
    this.#timers = [setInterval(() => this.#callOne(), everyMs), setInterval(() => this.#tally(), TALLY_EVERY_MS)]
  }

  /** Resolves when the last caller has an answer. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#underWay)
    if (this.#timers.length > 0) this.#tally()
    this.#timers = []
  }

  #callOne(): void {
    const handle = this.#handles[Math.floor(this.#watch.draws.fraction() * this.#handles.length)]
    const call = handle === undefined ? undefined : this.#call(handle)
    if (call !== undefined) this.#track(call)
  }

  /** In a manner that is drawn; nothing to wait for where the answer comes at once. */
  #call(handle: TokenHandle): Promise<void> | undefined {
    const draw = this.#watch.draws.fraction()
    let share = 0
    const falls = (width: number) => {
      share += width
      return draw < share
    }
    if (falls(SHARES.peek)) return this.#peek(handle)
    if (falls(SHARES.reject)) return this.#reject(handle)
    if (falls(SHARES.use)) return this.#use(handle)
    if (falls(SHARES.minLife)) return this.#get(handle, { minLifeMs: this.#watch.draws.fraction() * LONGEST_MIN_LIFE_MS })
    if (falls(SHARES.impatient)) return this.#get(handle, { timeoutMs: 200 + this.#watch.draws.fraction() * 5_000 })
    if (falls(SHARES.leaving)) return this.#get(handle, { signal: AbortSignal.timeout(Math.floor(this.#watch.draws.fraction() * 3_000)) })
    return this.#get(handle)
  }

  #track(call: Promise<void>): void {
    this.#asked += 1
    const settled = call.finally(() => {
      this.#settled += 1
      this.#underWay.delete(settled)
    })
    this.#underWay.add(settled)
  }

  async #get(handle: TokenHandle, options?: { timeoutMs?: number; minLifeMs?: number; signal?: AbortSignal }): Promise<void> {
    const askedAt = machineNow()
    const rejectedUpTo = this.#watch.rejectedUpTo(handle.key)
    try {
      this.#serve(handle, await handle.get(options), askedAt, rejectedUpTo)
    } catch (error) {
      this.#fail(handle, error, askedAt)
    }
    this.#waited(handle, askedAt, options?.timeoutMs ?? DEFAULT_BOUND_MS)
  }

  async #use(handle: TokenHandle): Promise<void> {
    const askedAt = machineNow()
    const rejectedUpTo = this.#watch.rejectedUpTo(handle.key)
    const { api } = this.#watch
    let isCalling = false
    try {
      await handle.use(async (token) => {
        this.#serve(handle, token, askedAt, rejectedUpTo)
        this.#waited(handle, askedAt, DEFAULT_BOUND_MS)
        isCalling = true
        const answer = await api(token)
        isCalling = false
        return answer
      })
    } catch (error) {
      // What the API itself threw is no failure of the token's.
      if (!isCalling) this.#fail(handle, error, askedAt)
    }
  }

  #peek(handle: TokenHandle): undefined {
    const askedAt = machineNow()
    const token = handle.peek()
    if (token !== undefined) this.#serve(handle, token, askedAt, this.#watch.rejectedUpTo(handle.key))
  }

  /** Somebody thinks that the token is no good. */
  #reject(handle: TokenHandle): Promise<void> | undefined {
    const token = handle.peek()
    return token === undefined ? undefined : handle.reject(token)
  }

  #serve({ key }: TokenHandle, { value, version, expiresAt }: Token, askedAt: number, rejectedUpTo: number): void {
    const { node, wall, tell } = this.#watch
    const at = machineNow()
    const lifeMs = expiresAt - wall()
    this.#served += 1
    if (lifeMs <= 0) tell({ at, node, kind: 'served-expired', key, version, lifeMs })
    if (version <= rejectedUpTo) tell({ at, node, kind: 'served-rejected', key, version, rejectedUpTo })
    const before = this.#current.get(key)
    const print = digest(value)
    if (before?.version !== version || before.digest !== print) {
      tell({ at, node, kind: 'served', key, askedAt, version, lifeMs, digest: print }, value)
    }
    this.#current.set(key, { key, version, digest: print, askedAt, at })
  }

  #fail({ key }: TokenHandle, error: unknown, askedAt: number): void {
    const code = isTokenError(error) ? error.code : 'not a TokenError'
    this.#failed[code] = (this.#failed[code] ?? 0) + 1
    // One entry for all who fail like that until the next tally.
    const name = `${key} ${code}`
    if (this.#told.has(name)) return
    this.#told.add(name)
    const message = error instanceof Error ? error.message : String(error)
    this.#watch.tell({ at: machineNow(), node: this.#watch.node, kind: 'failed', key, askedAt, code, message })
  }

  #waited({ key }: TokenHandle, askedAt: number, boundMs: number): void {
    const at = machineNow()
    if (at - askedAt < WORTH_TELLING_MS) return
    this.#watch.tell({ at, node: this.#watch.node, kind: 'waited', key, askedAt, callers: 1, boundMs })
  }

  #tally(): void {
    const { node, tell } = this.#watch
    tell({ at: machineNow(), node, kind: 'tally', served: this.#served, failed: this.#failed, last: [...this.#current.values()] })
    this.#served = 0
    this.#failed = {}
    this.#told.clear()
  }
}
