/** A library with tokens that are fresh, set up as its documentation recommends. */
export interface Contender {
  /** The library, with its version. */
  readonly name: string
  /** @param keys how many tokens it has */
  open(keys: number, redisUrl: string): Promise<Opened>
}

export interface Opened {
  /** What a caller may call, by its name: with the number of a key. */
  readonly ways: Readonly<Record<string, Way>>
}

export type Way = { readonly sync: (index: number) => unknown } | { readonly async: (index: number) => Promise<unknown> }

export const LIFE_MS = 7_200_000

/** A token as long as Feishu's are. */
export function tokenValue(index: number): string {
  return `t-${String(index).padStart(8, '0')}`.padEnd(42, 'x')
}

export function keyName(index: number): string {
  return `tenant-${index}`
}
