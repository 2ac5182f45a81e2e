import type { PublishRequest } from '@tokenwell/core'
import type { LifeLog } from './life-log.ts'
import type { RequestAudit } from './request-audit.ts'
import type { Over } from './store-audit.ts'

/** A report takes so long at most to have its effect, milliseconds. */
const IN_FLIGHT_MS = 10_000

/** What was published, vouched for, rejected and lost. Keys are the store's. */
export class RecordLog {
  readonly #now: () => number
  readonly #lives: LifeLog
  readonly #requests: RequestAudit
  /** What was last published. */
  readonly #stored = new Map<string, string>()
  /** Keys of what was last published with the upstream's word for it, and until when that holds. */
  readonly #vouched = new Set<string>()
  readonly #quietUntil = new Map<string, number>()
  /** Keys and values that the store was told are rejected. */
  readonly #rejected = new Set<string>()
  /** Keys and versions: what a process fetched while it did not reach the store. */
  readonly #renewedAlone = new Set<string>()
  /** When the store last lost what it knew, by its key; of all of them without one. */
  readonly #lostAt = new Map<string | undefined, number>()

  constructor(parts: { readonly now: () => number; readonly lives: LifeLog; readonly requests: RequestAudit }) {
    this.#now = parts.now
    this.#lives = parts.lives
    this.#requests = parts.requests
  }

  /** The store has taken a value. @param over why what it had before was to be replaced */
  published(key: string, version: number, { value, quietMs }: PublishRequest, over: Over | undefined): void {
    if (this.#stored.get(key) !== value) this.#requests.published(key)
    // One that had its lease and lost the store is stored after all.
    if (over !== undefined && !this.#renewedAlone.delete(`${key} ${version}`)) this.#requests.replaced(key, over)
    this.#stored.set(key, value)
    if (quietMs === undefined) this.#vouched.delete(key)
    else {
      this.#vouched.add(key)
      this.#quietUntil.set(key, this.#now() + quietMs + IN_FLIGHT_MS)
    }
  }

  /** A process without a lease has fetched what it could share: the store does not tell. */
  renewedAlone(key: string, version: number): void {
    this.#renewedAlone.add(`${key} ${version}`)
    this.#requests.succeeded(key)
  }

  rejected(key: string, value: string): void {
    this.#rejected.add(`${key} ${value}`)
  }

  lost(key?: string): void {
    this.#lostAt.set(key, this.#now())
  }

  isRejected(key: string, value: string): boolean {
    return this.#rejected.has(`${key} ${value}`)
  }

  /** The upstream has vouched for what is stored: its rejection changes nothing for now. */
  isQuiet(key: string): boolean {
    // Of a store whose clock was set back the quiet is over at first, and begins once more when the clock comes to where it was.
    if (this.#vouched.has(key) && this.#lives.isMoved(key)) return true
    return this.#now() < (this.#quietUntil.get(key) ?? Number.NEGATIVE_INFINITY)
  }

  /** What the store knew of a key was lost since it granted what this version came of. */
  isForgotten(key: string, version: number): boolean {
    const life = this.#lives.drift(key, version)
    if (life === undefined) return false
    return [key, undefined].some((lost) => (this.#lostAt.get(lost) ?? Number.NEGATIVE_INFINITY) >= life.since)
  }
}
