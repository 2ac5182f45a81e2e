/** A library with some tokens that are renewed before they end. */
export interface Contender {
  /** The library, with its version. */
  readonly name: string
  /** @returns what a caller calls, with the number of a key */
  open(setting: Setting): (index: number) => Promise<unknown>
}

export interface Setting {
  readonly redisUrl: string
  /** Names of the tokens. */
  readonly keys: readonly string[]
  /** Asks the upstream for a token of the key with this number. */
  readonly request: (index: number, signal?: AbortSignal) => Promise<{ readonly value: string; readonly expiresInMs: number }>
}
