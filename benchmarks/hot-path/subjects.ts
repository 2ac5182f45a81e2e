export interface Subject {
  readonly contender: string
  readonly way: string
  readonly isOurs?: true
  /** What it is compared with, by its contender and way. */
  readonly base: 'lookup' | 'async lookup'
  /** With so many keys alone; default with one and with many. */
  readonly only?: 'one' | 'many'
  /** Of those that rest in between, too. */
  readonly rests?: true
}

export const OURS: readonly Subject[] = [
  { contender: 'bare', way: 'lookup', base: 'lookup', rests: true },
  { contender: 'tokenwell', way: 'peek()', isOurs: true, base: 'lookup', rests: true },
  { contender: 'bare', way: 'async lookup', base: 'async lookup', rests: true },
  { contender: 'tokenwell', way: 'get()', isOurs: true, base: 'async lookup', rests: true },
  { contender: 'tokenwell-observed', way: 'get(), observed', isOurs: true, base: 'async lookup' },
  { contender: 'tokenwell-feishu', way: 'appAccessToken()', isOurs: true, base: 'async lookup', only: 'one' },
  { contender: 'tokenwell-feishu', way: 'tenantAccessToken(key)', isOurs: true, base: 'async lookup', rests: true },
]

/** Caches that are asked by key. */
export const CACHES: readonly Subject[] = [
  { contender: 'keyv', way: 'get(key)', base: 'async lookup', rests: true },
  { contender: 'bentocache', way: 'getOrSet(key)', base: 'async lookup', rests: true },
  { contender: 'cacheable', way: 'getOrSet(key)', base: 'async lookup', rests: true },
]

/** Keeps tokens by what they are for, as a cache does, and not one that is known already. */
export const CLIENTS: Readonly<Record<'one' | 'many', readonly Subject[]>> = {
  one: [{ contender: 'msal-node', way: 'acquireTokenByClientCredential()', base: 'async lookup', only: 'one' }],
  many: [{ contender: 'msal-node', way: 'acquireTokenByClientCredential() of a key', base: 'async lookup', only: 'many' }],
}

export const OTHERS: readonly Subject[] = [
  { contender: 'aws-memoize', way: 'provider()', base: 'async lookup', only: 'one' },
  { contender: 'aws-memoize', way: 'provider() of a key', base: 'async lookup', only: 'many' },
  { contender: 'google-auth', way: 'getAccessToken()', base: 'async lookup', only: 'one' },
  { contender: 'google-auth', way: 'getAccessToken() of a key', base: 'async lookup', only: 'many' },
  ...CACHES,
  ...CLIENTS.one,
  ...CLIENTS.many,
  { contender: 'node-sdk', way: 'getTenantAccessToken()', base: 'async lookup', only: 'one' },
  { contender: 'node-sdk-store', way: 'getTenantAccessToken(key)', base: 'async lookup' },
]
