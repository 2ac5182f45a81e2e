import type { FeishuTokens } from '@tokenwell/core/feishu'
import type { FeishuSimulator } from '@tokenwell/feishu-simulator'
import type { VirtualClock } from '@tokenwell/testkit'

/** Callers that ask for a token at once, and what became of them. */
export class Callers {
  readonly #tokens: FeishuTokens
  readonly #platform: FeishuSimulator
  #count = 0
  #blocked = 0
  #wrong = 0
  #slowestMs = 0

  constructor(world: { tokens: FeishuTokens; platform: FeishuSimulator; clock: VirtualClock }) {
    this.#tokens = world.tokens
    this.#platform = world.platform
  }

  get count(): number {
    return this.#count
  }

  /** How many had no token after one turn of the event loop. */
  get blocked(): number {
    return this.#blocked
  }

  /** How many were given a token that the platform does not accept, or an error. */
  get wrong(): number {
    return this.#wrong
  }

  get slowestMs(): number {
    return this.#slowestMs
  }

  reset(): void {
    this.#count = 0
    this.#blocked = 0
    this.#wrong = 0
    this.#slowestMs = 0
  }

  async call(many: number): Promise<void> {
    let waiting = many
    const calls = Array.from({ length: many }, async () => {
      const start = performance.now()
      // An error is no token.
      const token = await this.#tokens.appAccessToken().catch(() => '')
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - start)
      waiting -= 1
      if (this.#platform.judge(token) !== 'valid') this.#wrong += 1
    })
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#count += many
    this.#blocked += waiting
    await Promise.all(calls)
  }
}
