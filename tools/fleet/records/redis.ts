import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { moveDeadlines, removeRecords } from '../../../packages/store-redis/test/support/records.ts'
import type { FleetRecords } from './fleet-records.ts'

/** Records in this Redis, under a prefix of their own. */
export function redisRecords(url: string): FleetRecords {
  const keyPrefix = `fleet-${randomBytes(6).toString('hex')}`
  return {
    address: { kind: 'redis', url, keyPrefix },
    passInStore: (ms) => withClient(url, (admin) => moveDeadlines(admin, keyPrefix, -ms)),
    remove: () => withClient(url, (admin) => removeRecords(admin, keyPrefix)),
  }
}

/** A connection for one purpose: a server that was restarted meanwhile is none of its concern. */
async function withClient(url: string, use: (admin: Redis) => Promise<void>): Promise<void> {
  const admin = new Redis(url, { maxRetriesPerRequest: 1 })
  // What fails is the command; unheard the errors of the connection are printed.
  admin.on('error', () => {})
  try {
    await use(admin)
  } finally {
    admin.disconnect()
  }
}
