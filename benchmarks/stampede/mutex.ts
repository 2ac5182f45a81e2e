import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import { requestToken } from '../measure/upstream-client.ts'
import type { Opened, Places } from './contender.ts'

/** Looks into Redis, takes a lock, looks again, and only then asks the upstream. */
export function openMutex({ redisUrl, upstreamUrl }: Places): Opened {
  const redis = new Redis(redisUrl)
  return (clientId) => async () => {
    const key = `token:${clientId}`
    const known = await redis.get(key)
    if (known !== null) return known
    const mutex = new Mutex(redis, key)
    await mutex.acquire()
    try {
      const come = await redis.get(key)
      if (come !== null) return come
      const { value, expiresInMs } = await requestToken(upstreamUrl, clientId)
      await redis.set(key, value, 'PX', expiresInMs)
      return value
    } finally {
      await mutex.release()
    }
  }
}
