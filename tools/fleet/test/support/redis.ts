import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { type Cluster, Redis } from 'ioredis'
import { moveDeadlines } from '../../../../packages/store-redis/test/support/records.ts'
import { randomSecret } from '../../../leak-search/index.ts'
import { startFleet } from '../../index.ts'
import { redisRecords } from '../../records/redis.ts'
import type { ServerStage } from './stage.ts'

/** A Redis of one's own. Who may not use channels gets no push: that is the user `deaf`. */
export async function redisStage(): Promise<ServerStage & { readonly server: RedisServer }> {
  const server = await startRedis({ settings: { user: ['deaf', 'on', 'nopass', '~*', '+@all', 'resetchannels'] } })
  return {
    name: 'Redis',
    server,
    forgets: true,
    fleet: ({ withoutPush = false, ...options }) => {
      const { address, passInStore } = redisRecords(server.url)
      const url = withoutPush ? server.url.replace('redis://', 'redis://deaf:any@') : server.url
      return startFleet({ store: () => ({ ...address, url }), passInStore, secret: randomSecret, ...options })
    },
    /** At the top: what scripts call is counted apart. */
    async operations() {
      const admin = new Redis(server.url)
      const stats = await admin.info('commandstats')
      admin.disconnect()
      const calls = stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)
      return [...calls].reduce((sum, [, count]) => sum + Number(count), 0)
    },
    async dump() {
      const admin = new Redis(server.url)
      // Packed, a value would not be found.
      await admin.config('SET', 'rdbcompression', 'no')
      await admin.save()
      admin.disconnect()
      return readFile(join(server.folder, 'dump.rdb'))
    },
    close: () => server.stop(),
  }
}

/** Moves the deadlines of records with this prefix, over a connection for this purpose. */
export function passOver(connect: () => Redis | Cluster): (ms: number, keyPrefix: string) => Promise<void> {
  return async (ms, keyPrefix) => {
    const admin = connect()
    admin.on('error', () => {})
    // A cluster is known when it has been asked something.
    await admin.ping()
    await moveDeadlines(admin, keyPrefix, -ms)
    admin.disconnect()
  }
}
