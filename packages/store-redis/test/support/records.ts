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

/** What is stored of a key; empty for nothing. @param name the record's */
export async function fieldsOf(admin: Admin, name: string): Promise<Record<string, string>> {
  return JSON.parse((await admin.get(name)) ?? '{}') as Record<string, string>
}

/** Changes some of what is stored, and leaves its end. @param name the record's */
export async function setFields(admin: Admin, name: string, fields: Readonly<Record<string, string>>): Promise<void> {
  await admin.set(name, JSON.stringify({ ...(await fieldsOf(admin, name)), ...fields }), 'KEEPTTL')
}

/** Moves every deadline of a store's records, as if the server's clock had been set back. */
export async function moveDeadlines(admin: Admin, prefix: string, ms: number): Promise<void> {
  for (const record of await recordsOf(admin, prefix)) {
    const moved = Object.entries(await fieldsOf(admin, record)).flatMap(([field, text]) => {
      const [at, length] = text.split(' ')
      return DEADLINES.includes(field) ? [[field, `${Number(at) + ms * 1000} ${length}`]] : []
    })
    await setFields(admin, record, Object.fromEntries(moved))
  }
}

export async function removeRecords(admin: Admin, prefix: string): Promise<void> {
  for (const record of await recordsOf(admin, prefix)) await admin.del(record)
}
