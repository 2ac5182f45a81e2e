import type { Worth } from './scenario.ts'

export interface Minted {
  readonly value: string
  /** True time, milliseconds. */
  readonly endsAt: number
}

export interface TokenLedgerOptions {
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
  readonly #endsAt = new Map<string, number>()
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
    return isKept ? newest : this.mintNew(this.#options.lifeMs)
  }

  mintNew(lifeMs: number): Minted {
    const minted = { value: `${this.#options.name} ${this.#endsAt.size + 1}`, endsAt: this.#now() + lifeMs }
    this.#endsAt.set(minted.value, minted.endsAt)
    this.#newest = minted
    return minted
  }

  /** From now on the newest is refused. @returns whether there is one */
  revoke(): boolean {
    if (this.#newest !== undefined) this.#revoked.add(this.#newest.value)
    return this.#newest !== undefined
  }

  /** What was only said to be revoked is good again. */
  forgive(): void {
    if (this.#newest !== undefined) this.#revoked.delete(this.#newest.value)
  }

  worth(value: string): Worth {
    const endsAt = this.#endsAt.get(value)
    if (endsAt === undefined) return 'unknown'
    if (this.#now() >= endsAt) return 'ended'
    return this.#revoked.has(value) ? 'revoked' : 'valid'
  }
}
