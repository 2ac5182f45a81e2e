import type { Token } from '../token.ts'
import type { TokenHandle } from '../token-handle.ts'

/** Tokens as nothing but their text. */
export class TokenTexts {
  /** What was asked for last and is not there yet, and the text of it. */
  #asked: Promise<Token> | undefined
  #answer: Promise<string> | undefined

  /** Makes nothing but the promise for a token that is in memory; and not even that for each of those who wait for one as one. */
  of(handle: TokenHandle): Promise<string> {
    const token = handle.peek()
    if (token !== undefined) return Promise.resolve(token.value)
    const asked = handle.get()
    if (asked === this.#asked && this.#answer !== undefined) return this.#answer
    const answer = asked.then(({ value }) => value)
    this.#asked = asked
    this.#answer = answer
    const forget = () => {
      if (this.#asked !== asked) return
      this.#asked = undefined
      this.#answer = undefined
    }
    answer.then(forget, forget)
    return answer
  }
}
