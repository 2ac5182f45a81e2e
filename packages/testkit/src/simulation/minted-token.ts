import { type Policy, TokenError } from '@tokenwell/core'
import { CORE_POLICY } from './core-policy.ts'
import { recordKey } from './record-key.ts'
import { renewalsAreDrawn } from './renewal-audit.ts'
import type { Scenario, Surroundings } from './scenario.ts'
import { type Minted, TokenLedger } from './token-ledger.ts'
import { UpstreamFaults } from './upstream-faults.ts'

const MINUTE_MS = 60_000

export interface MintedTokenOptions {
  /** Tells it from others of the same world. Default `token`. */
  readonly name?: string
  /** Policy of the credential. Default: core's. */
  readonly policy?: Partial<Policy>
  /** Life of a token, milliseconds: from a second more than the policy's `minimumLifeMs`, by default 31 s. Default 2 h. */
  readonly lifeMs?: number
  /**
   * With so much life left, or more, the upstream answers with the same token, milliseconds, from as much as `lifeMs` has: one that repeats a token until it ends
   * leaves a fleet without one, as its last moments are too short to be shared. With more than `lifeMs`, such as Infinity, each answer is a new one. Default 30 min.
   */
  readonly sameAboveMs?: number
}

const FAULTS = ['outage', 'hang', 'garbage', 'short-life', 'throttle', 'slow', 'revoke', 'revoke-same'] as const
type Fault = (typeof FAULTS)[number]

/** A token that is answered with lives as long as it should when it arrives, but for so much at the most, milliseconds. */
const ON_ITS_WAY_MS = 1_000

/**
 * One credential of an upstream that gives out the same token while it has enough life left.
 *
 * @throws TypeError for a life that is too short to be shared
 */
export function mintedToken({
  name = 'token',
  policy,
  lifeMs = 120 * MINUTE_MS,
  sameAboveMs = 30 * MINUTE_MS,
}: MintedTokenOptions = {}): Scenario {
  const governing = { ...CORE_POLICY, ...policy }
  const { minimumLifeMs, requestTimeoutMs, renewJitterMs } = governing
  for (const [option, ms] of Object.entries({ lifeMs, sameAboveMs })) {
    const leastMs = minimumLifeMs + ON_ITS_WAY_MS
    if (!(ms >= leastMs))
      throw new TypeError(`mintedToken: ${option}: expected milliseconds from ${leastMs}, or nothing can be shared, got ${ms}`)
  }
  const alwaysMs = leftAtRenewalMs(governing, Math.min(lifeMs, sameAboveMs) - ON_ITS_WAY_MS)
  return {
    faults: FAULTS,
    begin(surroundings) {
      const upstream = new Upstream(surroundings, new TokenLedger(surroundings.now, { name, lifeMs, sameAboveMs }), name)
      surroundings.watchStore(upstream.ledger.watcher(recordKey(name), surroundings.violate))
      if (renewJitterMs !== 0) surroundings.watchStore(renewalsAreDrawn(name, surroundings))
      return {
        trouble: (fault) => upstream.trouble(fault as Fault),
        start: ({ index, manager, wire }) => {
          const handle = manager.token({
            key: name,
            fetch: ({ signal }) =>
              surroundings.request({ key: name, node: index, signal, patienceMs: requestTimeoutMs }, () =>
                wire.request(() => upstream.mint()),
              ),
            ...(policy === undefined ? {} : { policy }),
          })
          const { ledger } = upstream
          return [
            {
              name,
              handle,
              policy: governing,
              alwaysMs,
              worth: (value) => ledger.worth(value),
              givenOut: (value) => ledger.givenOut(value),
            },
          ]
        },
      }
    },
  }
}

/** What is left of a token that comes with so much life when the next one is fetched, at the least, or the floor if that is less. */
function leftAtRenewalMs({ renewWindowMs, renewJitterMs, floorMs }: Policy, lifeMs: number): number {
  return Math.min(floorMs, Math.min(renewWindowMs, lifeMs / 2) * (1 - renewJitterMs / renewWindowMs))
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
