import type { LarkCache, LarkCacheKey, LarkCacheScope } from './sdk-cache.ts'

interface Entry {
  readonly value: unknown
  readonly expire: number
}

/** Ended values are looked for once so many have come, and then whenever there are twice as many as were left. */
const FIRST_SWEEP = 1_000

/** Keeps values in this process until they end, as the SDK's own cache does; that one never lets go of those that have. */
export function memoryCache(): LarkCache {
  const entries = new Map<string, Entry>()
  let sweepAt = FIRST_SWEEP

  function sweep(): void {
    const now = Date.now()
    for (const [name, { expire }] of entries) if (expire <= now) entries.delete(name)
    sweepAt = Math.max(FIRST_SWEEP, entries.size * 2)
  }

  return {
    async get(key, scope) {
      const entry = entries.get(nameOf(key, scope))
      return entry !== undefined && entry.expire > Date.now() ? entry.value : undefined
    },
    async set(key, value, expire, scope) {
      // The SDK's own takes a time of 0 for none as well.
      entries.set(nameOf(key, scope), { value, expire: expire || Number.POSITIVE_INFINITY })
      if (entries.size >= sweepAt) sweep()
      return true
    },
  }
}

function nameOf(key: LarkCacheKey, scope: LarkCacheScope | undefined): string {
  return JSON.stringify([scope?.namespace ?? '', String(key)])
}
