import type { TokenStore } from '@tokenwell/core'

const OPERATIONS = ['read', 'claim', 'publish', 'settle', 'invalidate'] as const

/** A store that counts what it is asked. */
export interface CountedStore {
  readonly store: TokenStore
  /** Operations since it was made. */
  asked(): number
}

export function countedStore(store: TokenStore): CountedStore {
  let asked = 0
  const operations: ReadonlySet<unknown> = new Set(OPERATIONS)
  const counting = new Proxy(store, {
    get(target, name, receiver) {
      if (operations.has(name)) asked += 1
      return Reflect.get(target, name, receiver)
    },
  })
  return { store: counting, asked: () => asked }
}
