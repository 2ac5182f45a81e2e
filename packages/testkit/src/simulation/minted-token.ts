import { type Policy, TokenError } from '@tokenwell/core'
import { recordKey } from './record-key.ts'
import { renewalsAreDrawn } from './renewal-audit.ts'
import { REQUEST_TIMEOUT_MS } from './request-audit.ts'
import type { Scenario, Surroundings } from './scenario.ts'
import { type Minted, TokenLedger } from './token-ledger.ts'
import { UpstreamFaults } from './upstream-faults.ts'

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
      const upstream = new Upstream(surroundings, new TokenLedger(surroundings.now, { name, lifeMs, sameAboveMs }), name)
      surroundings.watchStore(upstream.ledger.watcher(recordKey(name), surroundings.violate))
      if (policy?.renewJitterMs !== 0) surroundings.watchStore(renewalsAreDrawn(name, surroundings))
      const patienceMs = policy?.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
      return {
        trouble: (fault) => upstream.trouble(fault as Fault),
        start: ({ index, manager, wire }) => {
          const handle = manager.token({
            key: name,
            fetch: ({ signal }) =>
              surroundings.request({ key: name, node: index, signal, patienceMs }, () => wire.request(() => upstream.mint())),
            ...(policy === undefined ? {} : { policy }),
          })
          const { ledger } = upstream
          const alwaysMs = policy?.floorMs
          return [
            {
              name,
              handle,
              ...(alwaysMs !== undefined && { alwaysMs }),
              worth: (value) => ledger.worth(value),
              givenOut: (value) => ledger.givenOut(value),
            },
          ]
        },
      }
    },
  }
}

class Upstream {
  readonly ledger: TokenLedger
  readonly #surroundings: Surroundings
  readonly #faults: UpstreamFaults<Fault>
  readonly #name: string
  #asked = 0

  constructor(surroundings: Surroundings, ledger: TokenLedger, name: string) {
    this.#surroundings = surroundings
    this.#faults = new UpstreamFaults(surroundings)
    this.ledger = ledger
    this.#name = name
  }

  trouble(fault: Fault): () => void {
    if ((fault === 'revoke' || fault === 'revoke-same') && this.ledger.revoke()) this.#faults.struck(fault)
    const end = this.#faults.begin(fault)
    return () => {
      end()
      if (fault === 'revoke-same' && !this.#faults.isOn(fault)) this.ledger.forgive()
    }
  }

  async mint(): Promise<{ value: string; expiresInMs: number }> {
    const { now, draws, at } = this.#surroundings
    const chance = draws(`${this.#name} ${this.#asked++}`)
    switch (this.#faults.strike(['outage', 'hang', 'garbage', 'short-life', 'throttle', 'slow'], chance)) {
      case 'outage':
        throw new Error('the upstream is down')
      case 'hang':
        return new Promise(() => {})
      case 'garbage':
        return { value: 7 as never, expiresInMs: 1 }
      case 'short-life':
        return this.#answer(this.ledger.mintNew(chance.between(1, 40_000)))
      case 'throttle': {
        const retryAfterMs = chance.whole(1_000, 60_000)
        throw new TokenError('RATE_LIMITED', 'slow down', { retryable: true, retryAfterMs })
      }
      case 'slow':
        await new Promise<void>((resolve) => at(now() + chance.between(500, 9_000), resolve))
    }
    return this.#answer(this.ledger.mint(this.#faults.isOn('revoke-same')))
  }

  #answer({ value, endsAt }: Minted): { value: string; expiresInMs: number } {
    return { value, expiresInMs: endsAt - this.#surroundings.now() }
  }
}
