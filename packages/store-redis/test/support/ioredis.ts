import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5'
import { Cluster as Cluster54, Redis as Redis54 } from 'ioredis-5-4'

export type AnyRedis = Redis54 | Redis5 | Redis6
export type AnyCluster = Cluster54 | Cluster5 | Cluster6

/** Options that mean the same to all of them. */
export interface ClientOptions {
  readonly keyPrefix?: string
  readonly username?: string
  readonly password?: string
  readonly lazyConnect?: boolean
  readonly enableAutoPipelining?: boolean
  readonly enableOfflineQueue?: boolean
  readonly retryStrategy?: (times: number) => number | null
}

export interface Sentinels {
  readonly sentinels: { readonly host: string; readonly port: number }[]
  readonly name: string
}

export interface Ioredis {
  readonly ioredis: string
  connect(url: string, options?: ClientOptions): AnyRedis
  throughSentinels(sentinels: Sentinels): AnyRedis
  cluster(nodes: { readonly host: string; readonly port: number }[], options?: { readonly enableAutoPipelining?: boolean }): AnyCluster
}

/** Every ioredis that is promised to work: the oldest, the newest 5, the newest. */
export const versions: readonly Ioredis[] = [
  {
    ioredis: '5.4',
    connect: (url, options = {}) => new Redis54(url, options),
    throughSentinels: (sentinels) => new Redis54(sentinels),
    cluster: (nodes, options = {}) => new Cluster54(nodes, options),
  },
  {
    ioredis: '5',
    connect: (url, options = {}) => new Redis5(url, options),
    throughSentinels: (sentinels) => new Redis5(sentinels),
    cluster: (nodes, options = {}) => new Cluster5(nodes, options),
  },
  {
    ioredis: '6',
    connect: (url, options = {}) => new Redis6(url, options),
    throughSentinels: (sentinels) => new Redis6(sentinels),
    cluster: (nodes, options = {}) => new Cluster6(nodes, options),
  },
]
