import type { TokenStore } from '@tokenwell/core'
import { Cluster, Redis } from 'ioredis'

/** Where a fleet's store is, as it is told to every node. */
export type StoreAddress =
  | { readonly kind: 'redis'; readonly url: string; readonly keyPrefix: string }
  | { readonly kind: 'redis-cluster'; readonly nodes: Endpoint[]; readonly keyPrefix: string }
  | { readonly kind: 'redis-sentinel'; readonly sentinels: Endpoint[]; readonly name: string; readonly keyPrefix: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string; readonly listen?: boolean }
  | { readonly kind: 'sqlite'; readonly path: string }

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** A store as a user would set it up, and how to end the client that is theirs. */
export interface OpenStore {
  readonly store: TokenStore
  end(): Promise<void>
}

/** Only what the address needs is loaded. */
export async function openStore(address: StoreAddress): Promise<OpenStore> {
  switch (address.kind) {
    case 'redis':
      return overRedis(new Redis(address.url), address.keyPrefix)
    case 'redis-cluster':
      return overRedis(new Cluster(address.nodes), address.keyPrefix)
    case 'redis-sentinel':
      return overRedis(new Redis({ sentinels: address.sentinels, name: address.name }), address.keyPrefix)
    case 'postgres': {
      const { postgresStore } = await import('@tokenwell/store-postgres')
      const { Pool } = await import('pg')
      const pool = new Pool({ connectionString: address.url })
      const listen = address.listen === undefined ? {} : { listen: address.listen }
      return { store: postgresStore({ pool, schema: address.schema, ...listen }), end: () => pool.end() }
    }
    case 'sqlite': {
      const { sqliteStore } = await import('@tokenwell/store-sqlite')
      return { store: sqliteStore({ path: address.path }), end: async () => {} }
    }
  }
}

async function overRedis(client: Redis | Cluster, keyPrefix: string): Promise<OpenStore> {
  // A user of ioredis logs its errors; unheard they are printed.
  client.on('error', () => {})
  const { redisStore } = await import('@tokenwell/store-redis')
  return { store: redisStore({ client, keyPrefix }), end: async () => client.disconnect() }
}
