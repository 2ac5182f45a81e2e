import { type Policy, TokenError } from '@tokenwell/core'
import type { Scenario, Surroundings, Worth } from './scenario.ts'

const MINUTE_MS = 60_000

export interface MintedTokenOptions {
  /** Tells it from others of the same world. Default `token`. */
  readonly name?: string
  /** Policy of the credential. Default: core's. */
  readonly policy?: Partial<Policy>
  /** Life of a token, milliseconds. Default 2 h. */
  readonly lifeMs?: number
  /** With more life left than this the upstream answers with the same token, milliseconds. Default 30 min. */
  readonly sameAboveMs?: number
}

const FAULTS = ['outage', 'hang', 'garbage', 'short-life', 'throttle', 'slow', 'revoke', 'revoke-same'] as const
type Fault = (typeof FAULTS)[number]

interface Minted {
  readonly value: string
  readonly endsAt: number
  isRevoked: boolean
}

/** One credential of an upstream that gives out the same token while it has enough life left. */
export function mintedToken({
  name = 'token',
  policy,
  lifeMs = 120 * MINUTE_MS,
  sameAboveMs = 30 * MINUTE_MS,
}: MintedTokenOptions = {}): Scenario {
  return {
    faults: FAULTS,
    begin(surroundings) {
      const upstream = new Upstream(surroundings, { name, lifeMs, sameAboveMs })
      return {
        requests: upstream.requests,
        trouble: (fault) => upstream.trouble(fault as Fault),
        start: ({ manager, wire }) => {
          const handle = manager.token({
            key: name,
            fetch: () => wire.request(() => upstream.mint()),
            ...(policy === undefined ? {} : { policy }),
          })
          return [{ name, handle, worth: (value) => upstream.worth(value) }]
        },
      }
    },
  }
}

class Upstream {
  readonly requests: { readonly at: number; readonly name: string }[] = []
  readonly #surroundings: Surroundings
  readonly #options: Required<Omit<MintedTokenOptions, 'policy'>>
  readonly #minted = new Map<string, Minted>()
  readonly #faults = new Map<Fault, number>()
  #newest: Minted | undefined

  constructor(surroundings: Surroundings, options: Required<Omit<MintedTokenOptions, 'policy'>>) {
    this.#surroundings = surroundings
    this.#options = options
  }

  trouble(fault: Fault): () => void {
    if ((fault === 'revoke' || fault === 'revoke-same') && this.#newest !== undefined) {
      this.#newest.isRevoked = true
      this.#surroundings.struck(fault)
    }
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
    return () => {
      this.#faults.set(fault, (this.#faults.get(fault) ?? 0) - 1)
      // What was only said to be revoked is good again.
      if (fault === 'revoke-same' && this.#newest !== undefined && !this.#suffers('revoke-same')) this.#newest.isRevoked = false
    }
  }

  worth(value: string): Worth {
    const minted = this.#minted.get(value)
    if (minted === undefined) return 'unknown'
    if (this.#surroundings.now() >= minted.endsAt) return 'ended'
    return minted.isRevoked ? 'revoked' : 'valid'
  }

  async mint(): Promise<{ value: string; expiresInMs: number }> {
    const { now, draws, struck, at } = this.#surroundings
    const { name, lifeMs, sameAboveMs } = this.#options
    const chance = draws(`${name} ${this.requests.length}`)
    this.requests.push({ at: now(), name })
    for (const fault of ['outage', 'hang', 'garbage', 'short-life', 'throttle', 'slow'] as const) {
      if (!this.#suffers(fault) || !chance.chance(0.8)) continue
      struck(fault)
      switch (fault) {
        case 'outage':
          throw new Error('the upstream is down')
        case 'hang':
          return new Promise(() => {})
        case 'garbage':
          return { value: 7 as never, expiresInMs: 1 }
        case 'short-life':
          return this.#answer(this.#mintNew(chance.between(1, 40_000)))
        case 'throttle': {
          const retryAfterMs = chance.whole(1_000, 60_000)
          throw new TokenError('RATE_LIMITED', 'slow down', { retryable: true, retryAfterMs })
        }
        case 'slow':
          await new Promise<void>((resolve) => at(now() + chance.between(500, 9_000), resolve))
      }
    }
    const newest = this.#newest
    const isKept = newest !== undefined && newest.endsAt - now() >= sameAboveMs && (!newest.isRevoked || this.#suffers('revoke-same'))
    return this.#answer(isKept ? newest : this.#mintNew(lifeMs))
  }

  #mintNew(lifeMs: number): Minted {
    const minted = { value: `${this.#options.name} ${this.#minted.size + 1}`, endsAt: this.#surroundings.now() + lifeMs, isRevoked: false }
    this.#minted.set(minted.value, minted)
    this.#newest = minted
    return minted
  }

  #answer({ value, endsAt }: Minted): { value: string; expiresInMs: number } {
    return { value, expiresInMs: endsAt - this.#surroundings.now() }
  }

  #suffers(fault: Fault): boolean {
    return (this.#faults.get(fault) ?? 0) > 0
  }
}
