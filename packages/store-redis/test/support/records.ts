import type { AnyCluster, AnyRedis } from './ioredis.ts'

const DEADLINES = ['renewAt', 'expiresAt', 'quietUntil', 'leaseUntil', 'retryAt']

type Admin = AnyRedis | AnyCluster

/** Names of all records of a store; in a cluster, of those on any primary. */
async function recordsOf(admin: Admin, prefix: string): Promise<string[]> {
  const servers: readonly AnyRedis[] = 'nodes' in admin ? admin.nodes('master') : [admin]
  const found = await Promise.all(servers.map((server) => server.keys(`{${prefix}:*`)))
  return found.flat()
}

/** The server's clock, milliseconds. */
export async function serverTime(admin: Admin): Promise<number> {
  const [seconds, microseconds] = await admin.time()
  return Number(seconds) * 1000 + Number(microseconds) / 1000
}

/** Moves every deadline of a store's records, as if the server's clock had been set back. */
export async function moveDeadlines(admin: Admin, prefix: string, ms: number): Promise<void> {
  for (const record of await recordsOf(admin, prefix)) {
    const fields = await admin.hgetall(record)
    for (const field of DEADLINES) {
      const [at, length] = fields[field]?.split(' ') ?? []
      if (at !== undefined) await admin.hset(record, field, `${Number(at) + ms * 1000} ${length}`)
    }
  }
}

export async function removeRecords(admin: Admin, prefix: string): Promise<void> {
  for (const record of await recordsOf(admin, prefix)) await admin.del(record)
}
