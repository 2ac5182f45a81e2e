/** What the SDK passes as a key. Its types name the object `Symbol`, which takes in every symbol. */
export type LarkCacheKey = string | typeof Symbol.prototype

export interface LarkCacheScope {
  /** The SDK puts what belongs to an app under the app's id. */
  readonly namespace?: string | undefined
}

/** The interface `Cache` of the SDK, written out: it says the same in every version, and the SDK's types are 17 MB to read. */
export interface LarkCache {
  get(key: LarkCacheKey, scope?: LarkCacheScope): Promise<unknown>
  /** @param expire when the value ends, epoch milliseconds; never without it */
  set(key: LarkCacheKey, value: unknown, expire?: number, scope?: LarkCacheScope): Promise<boolean>
}
