import type { Token, TokenHandle } from '@tokenwell/core'
import { isTokenError } from '@tokenwell/core'
import { digest, type Entry, machineNow } from './entry.ts'
import type { CallReport } from './orders.ts'

interface Watch {
  readonly node: string
  readonly wall: () => number
  /** The highest version that the store has called rejected. */
  readonly rejectedUpTo: () => number
  readonly tell: (entry: Entry) => void
}

interface Tally {
  callers: number
  blocked: number
  longestMs: number
  lastAt: number
  readonly served: Map<string, number>
  readonly errors: Map<string, number>
}

/** Callers of one token, and what became of every one of them. */
export class Callers {
  readonly #handle: TokenHandle
  readonly #watch: Watch
  #tally = newTally()
  #asked = 0
  #settled = 0
  #last: Token | undefined
  #load: NodeJS.Timeout | undefined
  #isStill = false
  readonly #underWay = new Set<Promise<void>>()

  constructor(handle: TokenHandle, watch: Watch) {
    this.#handle = handle
    this.#watch = watch
  }

  get asked(): number {
    return this.#asked
  }

  get settled(): number {
    return this.#settled
  }

  get last(): Token | undefined {
    return this.#last
  }

  /** So many callers in one turn of the event loop. Resolves when each of them has a token or an error. */
  async call(callers: number, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const tally = this.#tally
    const askedAt = machineNow()
    const rejectedUpTo = this.#watch.rejectedUpTo()
    let waiting = callers
    const calls: Promise<void>[] = []
    for (let each = 0; each < callers; each++) {
      this.#asked += 1
      const call = this.#handle.get(options).then(
        (token) => this.#serve(token, tally, askedAt, rejectedUpTo),
        (error: unknown) => this.#fail(error, tally, askedAt),
      )
      calls.push(
        call.finally(() => {
          this.#settled += 1
          waiting -= 1
        }),
      )
    }
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    const blocked = waiting
    await Promise.all(calls)
    const now = machineNow()
    tally.callers += callers
    tally.blocked += blocked
    tally.lastAt = now
    tally.longestMs = Math.max(tally.longestMs, now - askedAt)
    if (blocked > 0) this.#watch.tell({ at: now, node: this.#watch.node, kind: 'waited', askedAt, callers: blocked })
  }

  startLoad(callers: number, everyMs: number): void {
    this.#load = setInterval(() => {
      if (this.#isStill) return
      const call = this.call(callers)
      this.#underWay.add(call)
      void call.finally(() => this.#underWay.delete(call))
    }, everyMs)
  }

  /** Whether the load rests for a moment. */
  set isStill(still: boolean) {
    this.#isStill = still
  }

  async endLoad(): Promise<void> {
    clearInterval(this.#load)
    await Promise.all(this.#underWay)
  }

  /** What became of the callers since the last report. */
  report(): CallReport {
    const { served, errors, ...figures } = this.#tally
    this.#tally = newTally()
    return { ...figures, served: Object.fromEntries(served), errors: Object.fromEntries(errors) }
  }

  #serve(token: Token, { served }: Tally, askedAt: number, rejectedUpTo: number): void {
    served.set(token.value, (served.get(token.value) ?? 0) + 1)
    const { node, wall, tell } = this.#watch
    const lifeMs = token.expiresAt - wall()
    if (lifeMs <= 0) tell({ at: machineNow(), node, kind: 'served-expired', version: token.version, lifeMs })
    if (token.version <= rejectedUpTo) tell({ at: machineNow(), node, kind: 'served-rejected', version: token.version, rejectedUpTo })
    if (token.version === this.#last?.version && token.value === this.#last.value) return
    this.#last = token
    tell({ at: machineNow(), node, kind: 'served', askedAt, version: token.version, lifeMs, digest: digest(token.value) })
  }

  #fail(error: unknown, { errors }: Tally, askedAt: number): void {
    const code = isTokenError(error) ? error.code : 'not a TokenError'
    // One entry for all callers who failed together.
    if (!errors.has(code)) {
      const message = error instanceof Error ? error.message : String(error)
      this.#watch.tell({ at: machineNow(), node: this.#watch.node, kind: 'failed', askedAt, code, message })
    }
    errors.set(code, (errors.get(code) ?? 0) + 1)
  }
}

function newTally(): Tally {
  return { callers: 0, blocked: 0, longestMs: 0, lastAt: 0, served: new Map(), errors: new Map() }
}
