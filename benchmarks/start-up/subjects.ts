import { BENTOCACHE } from '../measure/bentocache.ts'
import { library, MSAL, NODE_SDK } from '../measure/library.ts'

const IOREDIS = library('ioredis')
const KEYV_REDIS = library('@keyv/redis')

/** What a program imports before it does anything. */
export interface Subject {
  readonly name: string
  /** In this order. */
  readonly modules: readonly string[]
}

export const BARE: Subject = { name: 'node, nothing imported', modules: [] }

export const CORE: Subject = { name: 'core', modules: ['@tokenwell/core'] }

/** A Feishu app of one process. */
export const FEISHU: Subject = {
  name: 'core/feishu, store-memory',
  modules: ['@tokenwell/core/feishu', '@tokenwell/store-memory'],
}

/** A fleet that shares a token of any kind, with the client of Redis that it needs. */
export const FLEET: Subject = {
  name: `core, store-redis, ${IOREDIS}`,
  modules: ['@tokenwell/core', '@tokenwell/store-redis', 'ioredis'],
}

/** A Feishu app whose processes share its tokens. */
export const FEISHU_FLEET: Subject = {
  name: `core/feishu, store-redis, ${IOREDIS}`,
  modules: ['@tokenwell/core/feishu', '@tokenwell/store-redis', 'ioredis'],
}

const OF_NODE = ['node:crypto', 'node:diagnostics_channel', 'node:util']

/** What any program that does the same would import: modules of node, and a client that it has anyhow. */
export const NEEDS: ReadonlyMap<Subject, Subject> = new Map([
  [CORE, { name: "node's crypto, diagnostics_channel and util", modules: OF_NODE }],
  [FEISHU, { name: 'these, zlib and undici 8', modules: [...OF_NODE, 'node:zlib', 'undici'] }],
  [FLEET, { name: `these and ${IOREDIS}`, modules: [...OF_NODE, 'ioredis'] }],
  [FEISHU_FLEET, { name: `these, zlib, undici 8 and ${IOREDIS}`, modules: [...OF_NODE, 'node:zlib', 'undici', 'ioredis'] }],
])

/** The other entries of the packages, one by one. */
export const ENTRIES: readonly Subject[] = [
  'core/feishu',
  'store-memory',
  'store-sqlite',
  'store-redis',
  'store-postgres',
  'lark-sdk',
  'otel',
  'testkit',
  'testkit/feishu',
  'feishu-simulator',
].map((entry) => ({ name: entry, modules: [`@tokenwell/${entry}`] }))

export const SDK: Subject = { name: NODE_SDK, modules: ['@larksuiteoapi/node-sdk'] }

/** With the client of Redis that each of them needs. */
export const CACHES: readonly Subject[] = [
  { name: `${BENTOCACHE}, its drivers, ${IOREDIS}`, modules: ['bentocache', 'bentocache/drivers/memory', 'bentocache/drivers/redis'] },
  { name: `${library('cacheable')}, ${KEYV_REDIS}`, modules: ['cacheable', '@keyv/redis'] },
  { name: `${library('keyv')}, ${KEYV_REDIS}`, modules: ['keyv', '@keyv/redis'] },
]

export const OTHERS: readonly Subject[] = [
  SDK,
  ...CACHES,
  { name: MSAL, modules: ['@azure/msal-node'] },
  { name: library('google-auth-library'), modules: ['google-auth-library'] },
]
