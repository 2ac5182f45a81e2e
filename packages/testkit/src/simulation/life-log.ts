/** By how much the end of a token may be another than it was when the token was made. */
export interface Drift {
  /** True time, milliseconds: what a process knows of the token is of this moment or later. */
  readonly since: number
  /** A store whose clock was set back lengthens a life by as much, milliseconds. */
  readonly laterMs: number
  /** One whose clock was set forward shortens it, milliseconds; Infinity where its clock stood before the grant: then the life is over. */
  readonly earlierMs: number
  /** How long after its grant the store took it, milliseconds: a life counts from the grant, however late that is. */
  readonly takenAfterMs: number
}

interface Life {
  readonly grantedAt: number
  readonly publishedAt: number
  /** How far the store's clock was ahead of true time at the grant, milliseconds. */
  readonly clockMs: number
  /** A fence that was ahead of the clock when it was granted: a life counts from there, or from the publication before, and is by the store's clock so much longer, milliseconds. */
  readonly lateMs: number
}

/** The lives of the tokens that a store has taken, and what became of them when its clock was set. Moments are true time. */
export class LifeLog {
  readonly #now: () => number
  /** By the store's key, and by version. */
  readonly #lives = new Map<string, Map<number, Life>>()
  /** By the store's key: the version that it took last. */
  readonly #newest = new Map<string, number>()
  /** When the store's clock was set, and how far ahead of true time it was from then on. */
  readonly #steps: { readonly at: number; readonly clockMs: number }[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  /** The store's clock was set. @param clockMs how far it is ahead of true time now */
  stepped(clockMs: number): void {
    this.#steps.push({ at: this.#now(), clockMs })
  }

  /** The store has taken a version. @param fenceAt the moment of the store's clock that its fence is of */
  published(key: string, version: number, grantedAt: number, fenceAt: number): void {
    this.#newest.set(key, version)
    const now = this.#now()
    const lives = this.#lives.get(key) ?? new Map<number, Life>()
    this.#lives.set(key, lives)
    // Of one that was lost and published again, the grant is the same.
    const known = lives.get(version)
    const from = Math.max(0, Math.min(grantedAt, now))
    const clockMs = this.#clockAt(from)
    const lateMs = Math.max(0, Math.min(now + this.#clockAt(now), fenceAt) - (from + clockMs), known?.lateMs ?? 0)
    lives.set(version, { grantedAt: from, publishedAt: now, clockMs, lateMs })
  }

  /** Of a version that the store has taken; undefined for any other. */
  drift(key: string, version: number): Drift | undefined {
    const life = this.#lives.get(key)?.get(version)
    if (life === undefined) return undefined
    let [laterMs, earlierMs] = [0, 0]
    for (let index = this.#steps.length - 1; index >= 0; index -= 1) {
      const step = this.#steps[index]
      if (step === undefined || step.at < life.grantedAt) break
      const aheadMs = step.clockMs - life.clockMs
      laterMs = Math.max(laterMs, -aheadMs)
      earlierMs = Math.max(earlierMs, step.at - life.publishedAt + aheadMs < 0 ? Number.POSITIVE_INFINITY : aheadMs)
    }
    return { since: life.grantedAt, laterMs: laterMs + life.lateMs, earlierMs, takenAfterMs: life.publishedAt - life.grantedAt }
  }

  /** Whether the store's clock was set since it was granted what it took last. */
  isMoved(key: string): boolean {
    const newest = this.#newest.get(key)
    const last = this.#steps.at(-1)
    if (last === undefined) return false
    return newest === undefined || last.at >= (this.drift(key, newest)?.since ?? 0)
  }

  #clockAt(moment: number): number {
    return this.#steps.findLast(({ at }) => at <= moment)?.clockMs ?? 0
  }
}
