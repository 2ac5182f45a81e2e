import type { TokenStore } from '@tokenwell/core'

const HUNDRED = 100
export const LEASE = { leaseMs: 8_000, seen: 0, rejected: 0 }
export const TOKEN = { value: `t-${'x'.repeat(40)}`, renewInMs: 5_400_000, expiresInMs: 7_200_000 }

export const patience = () => ({ signal: AbortSignal.timeout(60_000) })

/** The records with a token that a store has, at least {@link HUNDRED} from the beginning: what is read is there, and no key twice. */
export class Records {
  readonly #keys: string[] = []
  #named = 0

  private constructor() {}

  static async in(store: TokenStore): Promise<Records> {
    const records = new Records()
    const operation = patience()
    for (let each = 0; each < HUNDRED; each++) {
      const key = records.newKey()
      const claim = await store.claim(key, key, LEASE, operation)
      if (claim.kind !== 'granted') throw new Error(`a claim of a new key was answered ${claim.kind}`)
      const { kind } = await store.publish(key, key, claim.fence, TOKEN, operation)
      if (kind !== 'accepted') throw new Error(`a publication was answered ${kind}`)
      records.add(key)
    }
    return records
  }

  newKey(): string {
    return `bench/${this.#named++}`
  }

  /** Of a record that has come to have a token. */
  add(key: string): void {
    this.#keys.push(key)
  }

  anyKey(): string {
    const key = this.#keys[Math.floor(Math.random() * this.#keys.length)]
    if (key === undefined) throw new Error('there are no records')
    return key
  }

  /** A hundred of them, each another. */
  anyHundred(): string[] {
    const chosen = new Set<string>()
    while (chosen.size < HUNDRED) chosen.add(this.anyKey())
    return [...chosen]
  }
}
