export { type LarkCacheOptions, larkCache } from './lark-cache.ts'
export type { LarkCache, LarkCacheKey, LarkCacheScope } from './sdk-cache.ts'
