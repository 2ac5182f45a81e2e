/** A lease, as the store granted it. Moments are true time, milliseconds. */
export interface Lease {
  readonly key: string
  readonly attempt: string
  readonly fence: number
  readonly grantedAt: number
  /** The holder before has vanished with its own. */
  readonly isTakeover: boolean
  endsAt: number
  /** The store has lost it, or its clock was set: when it ends nobody can say. */
  isInDoubt: boolean
}

/** The leases of a world, and which of them each process believes to have. */
export class LeaseLog {
  readonly #now: () => number
  /** By key and fence. */
  readonly #granted = new Map<string, Lease>()
  /** By process and key. */
  readonly #held = new Map<string, Lease>()
  /** By process and key: it goes by a lease, though it may have been lost since, or does without as it does not reach the store. */
  readonly #governed = new Set<string>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The store grants it, or the same once more. */
  grant(key: string, attempt: string, fence: number, leaseMs: number, isTakeover = false): Lease {
    const name = `${key} ${fence}`
    const known = this.#granted.get(name)
    const endsAt = this.#now() + leaseMs
    if (known?.attempt === attempt) {
      known.endsAt = endsAt
      return known
    }
    const lease: Lease = { key, attempt, fence, grantedAt: this.#now(), isTakeover, endsAt, isInDoubt: false }
    this.#granted.set(name, lease)
    return lease
  }

  granted(key: string, fence: number): Lease | undefined {
    return this.#granted.get(`${key} ${fence}`)
  }

  /** A process goes by a lease from now on; undefined for none, as it does not reach the store. */
  goesBy(node: number, key: string, fence: number | undefined): void {
    const name = `${node} ${key}`
    const lease = fence === undefined ? undefined : this.granted(key, fence)
    if (lease === undefined) this.#held.delete(name)
    else this.#held.set(name, lease)
    this.#governed.add(name)
  }

  /** Whether a process was ever granted a lease, or could not reach the store, since it began. */
  isGoverned(node: number, key: string): boolean {
    return this.#governed.has(`${node} ${key}`)
  }

  /** What a process goes by. */
  of(node: number, key: string): Lease | undefined {
    return this.#held.get(`${node} ${key}`)
  }

  /** All that a process knew is gone. */
  forgotten(node: number): void {
    for (const known of [this.#held, this.#governed]) {
      for (const name of known.keys()) if (name.startsWith(`${node} `)) known.delete(name)
    }
  }

  /** No lease of now can be relied on, of one key or of all: the store has lost data, or its clock was set. */
  doubt(key?: string): void {
    for (const [name, lease] of this.#granted) {
      if (key !== undefined && lease.key !== key) continue
      lease.isInDoubt = true
      this.#granted.delete(name)
    }
  }
}
