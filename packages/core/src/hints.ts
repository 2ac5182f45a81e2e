import type { Clock } from './clock.ts'
import type { Version } from './store.ts'
import type { StoreCalls } from './store-calls.ts'

/** How long a subscription that failed is left alone, milliseconds. */
const RETRY_MS = 30_000

/** `version` is absent when some hints may have been lost. */
export type HintListener = (version: Version | undefined) => void

/**
 * The one subscription a manager holds, handed out by key. It is switched on with the first claim, and stays on.
 * A store that cannot push is a store whose hints never come: everything still works, by re-reading.
 */
export class Hints {
  readonly #calls: StoreCalls
  readonly #clock: Clock
  readonly #listeners = new Map<string, Set<HintListener>>()
  #hearAll: ((key: string | undefined, version: Version) => void) | undefined
  #switching: Promise<void> | undefined
  #unsubscribe: (() => Promise<void>) | undefined
  #retryAt: number
  #stopped = false

  constructor(calls: StoreCalls, clock: Clock, pushes: boolean) {
    this.#calls = calls
    this.#clock = clock
    this.#retryAt = pushes ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  get state(): 'on' | 'off' | 'untried' {
    if (this.#unsubscribe !== undefined) return 'on'
    return this.#stopped || this.#clock.monotonic() < this.#retryAt ? 'off' : 'untried'
  }

  /** Resolves once hints are on or known to be unavailable for now; never rejects. */
  switchOn(): Promise<void> {
    if (this.state !== 'untried') return Promise.resolve()
    this.#switching ??= this.#subscribe().finally(() => {
      this.#switching = undefined
    })
    return this.#switching
  }

  /** `hear` is told of every key, and of no key when some hints may have been lost. */
  listenToAll(hear: (key: string | undefined, version: Version) => void): void {
    this.#hearAll = hear
  }

  listen(key: string, listener: HintListener): () => void {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#listeners.clear()
    this.#hearAll = undefined
    await this.#switching
    const unsubscribe = this.#unsubscribe
    this.#unsubscribe = undefined
    await unsubscribe?.().catch(() => {})
  }

  async #subscribe(): Promise<void> {
    try {
      this.#unsubscribe = await this.#calls.subscribe((key, version) => this.#hear(key, version))
    } catch {
      this.#retryAt = this.#clock.monotonic() + RETRY_MS
    }
  }

  #hear(key: string | undefined, version: Version): void {
    this.#hearAll?.(key, version)
    if (key !== undefined) {
      for (const listener of this.#listeners.get(key) ?? []) listener(version)
      return
    }
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of listeners) listener(undefined)
    }
  }
}
