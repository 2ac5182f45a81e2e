import type { Token } from './token.ts'
import type { GetOptions, TokenHandle, UseOptions } from './token-handle.ts'

/**
 * A handle that shows a part of what another holds, where one record keeps several credentials that are fetched together.
 *
 * @param project from the stored value to the part. Called once for each token.
 */
export function projectHandle(inner: TokenHandle, key: string, project: (stored: string) => string): TokenHandle {
  return new ProjectedHandle(inner, key, project)
}

/** See {@link projectHandle}. */
export class ProjectedHandle implements TokenHandle {
  readonly key: string
  readonly #inner: TokenHandle
  readonly #project: (stored: string) => string
  #whole: Token | undefined
  #part: Token | undefined
  #asked: Promise<Token> | undefined
  #answer: Promise<Token> | undefined

  constructor(inner: TokenHandle, key: string, project: (stored: string) => string) {
    this.key = key
    this.#inner = inner
    this.#project = project
  }

  get(options?: GetOptions): Promise<Token> {
    const asked = this.#inner.get(options)
    // While a token is fresh the promise of it is one and the same.
    if (asked === this.#asked && this.#answer !== undefined) return this.#answer
    const answer = asked.then((token) => this.#partOf(token))
    this.#asked = asked
    this.#answer = answer
    return answer
  }

  peek(): Token | undefined {
    const token = this.#inner.peek()
    return token && this.#partOf(token)
  }

  use<T>(call: (token: Token) => Promise<T>, options?: UseOptions): Promise<T> {
    return this.#inner.use((token) => call(this.#partOf(token)), options)
  }

  reject(token: Token): Promise<void> {
    return this.#inner.reject(token)
  }

  #partOf(token: Token): Token {
    if (token === this.#whole && this.#part !== undefined) return this.#part
    const { value, version, expiresAt } = token
    const part = Object.freeze({ value: this.#project(value), version, expiresAt })
    this.#whole = token
    this.#part = part
    return part
  }
}
