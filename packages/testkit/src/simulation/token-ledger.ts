import type { GivenOut, StoreWatcher, Worth } from './scenario.ts'

export interface Minted {
  readonly value: string
  /** True time, milliseconds. */
  readonly endsAt: number
}

export interface TokenLedgerOptions {
  /** What its values begin with. */
  readonly name: string
  /** Life of a token, milliseconds. */
  readonly lifeMs: number
  /** With at least so much life left the upstream answers with the same token, milliseconds. */
  readonly sameAboveMs: number
}

/** The tokens that an upstream has given out for one credential: the same one while it has enough life left. */
export class TokenLedger {
  readonly #now: () => number
  readonly #options: TokenLedgerOptions
  readonly #givenOut = new Map<string, GivenOut>()
  readonly #revoked = new Set<string>()
  #newest: Minted | undefined

  constructor(now: () => number, options: TokenLedgerOptions) {
    this.#now = now
    this.#options = options
  }

  /** @param standsBy whether the upstream goes on giving out what it calls revoked */
  mint(standsBy: boolean): Minted {
    const newest = this.#newest
    const isKept =
      newest !== undefined &&
      newest.endsAt - this.#now() >= this.#options.sameAboveMs &&
      (standsBy || this.worth(newest.value) !== 'revoked')
    if (!isKept) return this.mintNew()
    this.#givesOut(newest)
    return newest
  }

  mintNew(lifeMs = this.#options.lifeMs, value = `${this.#options.name}-${this.#givenOut.size + 1}`): Minted {
    const minted = { value, endsAt: this.#now() + lifeMs }
    this.#givesOut(minted)
    this.#newest = minted
    return minted
  }

  /** From now on a token is refused, by default the newest. @returns whether it was taken until now */
  revoke(value = this.#newest?.value): boolean {
    if (value === undefined || this.worth(value) !== 'valid') return false
    this.#revoked.add(value)
    return true
  }

  /** What was only said to be revoked is good again. */
  forgive(): void {
    if (this.#newest !== undefined) this.#revoked.delete(this.#newest.value)
  }

  worth(value: string): Worth {
    const known = this.#givenOut.get(value)
    if (known === undefined) return 'unknown'
    if (this.#now() >= known.endsAt) return 'ended'
    return this.#revoked.has(value) ? 'revoked' : 'valid'
  }

  givenOut(value: string): GivenOut | undefined {
    return this.#givenOut.get(value)
  }

  /** Nobody shares what others have rejected since the upstream gave it out; `key` is the store's. */
  watcher(key: string, violate: (what: string) => void): StoreWatcher {
    const rejectedAt = new Map<string, number>()
    return {
      rejected: (rejected, value) => {
        if (rejected === key) rejectedAt.set(value, this.#now())
      },
      published: (published, { value, quietMs }, grantedAt) => {
        const at = published === key && quietMs === undefined ? rejectedAt.get(value) : undefined
        const given = this.#givenOut.get(value)
        if (at !== undefined && grantedAt > at && given !== undefined && given.at < at)
          violate(`${key} was published although it was rejected`)
      },
      lost: (lost = key) => {
        if (lost === key) rejectedAt.clear()
      },
    }
  }

  #givesOut({ value, endsAt }: Minted): void {
    const now = this.#now()
    const { firstAt = now, times = 0 } = this.#givenOut.get(value) ?? {}
    this.#givenOut.set(value, { endsAt, at: now, firstAt, times: times + 1 })
  }
}
