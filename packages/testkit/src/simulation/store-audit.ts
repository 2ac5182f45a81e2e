import type { Claim, Publication, Snapshot, TokenStore, Version } from '@tokenwell/core'

interface Known {
  /** The attempt that was last granted the lease. */
  owner?: string
  /** The highest version that was accepted since the store last lost data. */
  accepted: Version
  /** Operations that were carried out and may be delivered again, each with what it left. */
  readonly done: Set<string>
}

/**
 * Watches every operation that the store of a world carries out, in the order in which it does, and holds it against those invariants that
 * are the store's: I2, I3, I6 and I7.
 */
export class StoreAudit {
  readonly #store: TokenStore
  readonly #violate: (what: string) => void
  readonly #known = new Map<string, Known>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: TokenStore, violate: (what: string) => void) {
    this.#store = store
    this.#violate = violate
  }

  /** The store has lost data: what it had acknowledged it need not know any more. */
  forget(): void {
    this.#known.clear()
  }

  claim(key: string, attempt: string, carryOut: () => Promise<Claim>): Promise<Claim> {
    return this.#watched(key, attempt, carryOut, (answer, known, before) => {
      if (answer.kind !== 'granted') return
      if (before.lease !== undefined && known.owner !== undefined && known.owner !== attempt) {
        this.#violate(`I6: ${attempt} was granted the lease on ${key} while ${known.owner} held it`)
      }
      known.owner = attempt
    })
  }

  publish(key: string, attempt: string, fence: Version, carryOut: () => Promise<Publication>): Promise<Publication> {
    return this.#watched(key, attempt, carryOut, ({ kind }, known, before, after) => {
      const name = `publish ${attempt} ${fence}`
      if (kind !== 'accepted') return
      if (known.done.has(name)) this.#same(`publication of ${fence}`, key, before, after)
      else if (fence <= known.accepted) this.#violate(`I3: ${key} took version ${fence} after ${known.accepted}`)
      known.accepted = Math.max(known.accepted, fence)
      known.done.add(name)
    })
  }

  settle(key: string, attempt: string, fence: Version, carryOut: () => Promise<Snapshot>): Promise<Snapshot> {
    return this.#watched(key, attempt, carryOut, (_, known, before, after) => {
      const name = `settle ${attempt} ${fence}`
      if (known.done.has(name)) this.#same(`settlement of ${fence}`, key, before, after)
      known.done.add(name)
    })
  }

  invalidate(key: string, version: Version, carryOut: () => Promise<Snapshot>): Promise<Snapshot> {
    return this.#watched(key, '', carryOut, (_, __, before, after) => {
      if (version < before.version) this.#same(`rejection of ${version}`, key, before, after)
    })
  }

  /** One after the other: what a store does with one record is one step. */
  #watched<T>(
    key: string,
    attempt: string,
    carryOut: () => Promise<T>,
    look: (answer: T, known: Known, before: Snapshot, after: Snapshot) => void,
  ): Promise<T> {
    const looking = this.#last.then(() => this.#carriedOut(key, attempt, carryOut, look))
    this.#last = looking.catch(() => {})
    return looking
  }

  async #carriedOut<T>(
    key: string,
    attempt: string,
    carryOut: () => Promise<T>,
    look: (answer: T, known: Known, before: Snapshot, after: Snapshot) => void,
  ): Promise<T> {
    const known = this.#known.get(key) ?? { accepted: 0, done: new Set() }
    this.#known.set(key, known)
    const before = await this.#read(key)
    const answer = await carryOut()
    const after = await this.#read(key)
    if (after.version < before.version) this.#violate(`I2: ${key} went from version ${before.version} to ${after.version}`)
    const isAnothers = before.lease !== undefined && known.owner !== undefined && known.owner !== attempt
    if (isAnothers && before.lease?.expiresInMs !== after.lease?.expiresInMs) {
      this.#violate(`I6: ${attempt || 'a rejection'} changed the lease of ${known.owner} on ${key}`)
    }
    look(answer, known, before, after)
    return answer
  }

  #same(what: string, key: string, before: Snapshot, after: Snapshot): void {
    if (JSON.stringify(before) !== JSON.stringify(after)) this.#violate(`I7: a repeated ${what} changed ${key}`)
  }

  async #read(key: string): Promise<Snapshot> {
    const [snapshot] = await this.#store.read([key], { signal: new AbortController().signal })
    if (snapshot === undefined) throw new Error(`the store says nothing about ${key}`)
    return snapshot
  }
}
