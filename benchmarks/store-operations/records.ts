import type { Operation, TokenStore } from '@tokenwell/core'

const HUNDRED = 100
export const LEASE = { leaseMs: 8_000, seen: 0, rejected: 0 }
export const TOKEN = { value: `t-${'x'.repeat(40)}`, renewInMs: 5_400_000, expiresInMs: 7_200_000 }

export const patience = () => ({ signal: AbortSignal.timeout(60_000) })

/** A record, and the fence of its claim. */
export interface Claimed {
  readonly key: string
  readonly fence: number
}

/** @throws Error when it is not granted, as it is to whoever is the first */
export async function claim(store: TokenStore, key: string, operation: Operation): Promise<Claimed> {
  const answer = await store.claim(key, key, LEASE, operation)
  if (answer.kind !== 'granted') throw new Error(`a claim of a new key was answered ${answer.kind}`)
  return { key, fence: answer.fence }
}

/** What was claimed by {@link claim}. @throws Error when it is not accepted */
export async function publish(store: TokenStore, { key, fence }: Claimed, operation: Operation): Promise<void> {
  const { kind } = await store.publish(key, key, fence, TOKEN, operation)
  if (kind !== 'accepted') throw new Error(`a publication was answered ${kind}`)
}

/** The records with a token that a store has, at least {@link HUNDRED} from the beginning: what is read is there, and no key twice. */
export class Records {
  readonly #keys: string[] = []
  #named = 0

  private constructor() {}

  static async in(store: TokenStore): Promise<Records> {
    const records = new Records()
    const operation = patience()
    for (let each = 0; each < HUNDRED; each++) {
      const claimed = await claim(store, records.newKey(), operation)
      await publish(store, claimed, operation)
      records.add(claimed.key)
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
