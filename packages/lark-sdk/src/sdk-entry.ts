import type { LarkCacheKey } from './sdk-cache.ts'

/** What the SDK keeps for an app. Under the id of the app it keeps nothing else. */
export type SdkEntry =
  | { readonly kind: 'app-ticket' }
  /** The token of the one tenant of a custom app. */
  | { readonly kind: 'custom-app' }
  /** The token of a tenant of a store app. */
  | { readonly kind: 'tenant'; readonly tenantKey: string }

const TENANT_PREFIX = 'larkMarketAccessToken'

/**
 * The entry that a key stands for; `undefined` for a key of anything else. Goes by the names of symbols: the SDK's ES module and its
 * CommonJS module, and two versions of it in one process, each have symbols of their own.
 */
export function sdkEntry(key: LarkCacheKey): SdkEntry | undefined {
  if (typeof key === 'string') {
    return key.startsWith(TENANT_PREFIX) ? { kind: 'tenant', tenantKey: key.slice(TENANT_PREFIX.length) } : undefined
  }
  switch (key.description) {
    case 'app-ticket':
      return { kind: 'app-ticket' }
    case 'tenant-access-token':
      return { kind: 'custom-app' }
    default:
      return undefined
  }
}
