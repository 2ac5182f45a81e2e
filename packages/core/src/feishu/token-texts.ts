import type { Token } from '../token.ts'
import type { TokenHandle } from '../token-handle.ts'

/** Tokens as nothing but their text. */
export class TokenTexts {
  /** Whom nothing was at hand for, and what was told then: thousands may ask at once for what is not there yet. */
  #handle: TokenHandle | undefined
  #asked: Promise<Token> | undefined
  #answer: Promise<string> | undefined

  /** Makes nothing but the promise for a token that is in memory, and for callers who wait as one not even that for each. */
  of(handle: TokenHandle): Promise<string> {
    if (handle !== this.#handle) {
      const token = handle.peek()
      if (token !== undefined) return Promise.resolve(token.value)
    }
    const asked = handle.get()
    if (asked === this.#asked && this.#answer !== undefined) return this.#answer
    const answer = asked.then(({ value }) => value)
    this.#handle = handle
    this.#asked = asked
    this.#answer = answer
    return answer
  }
}
