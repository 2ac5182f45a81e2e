import { AppType, Client, LoggerLevel } from '@larksuiteoapi/node-sdk'
import { Redis } from 'ioredis'
import { NODE_SDK } from '../../measure/library.ts'
import { type Contender, SECRET } from '../contender.ts'

type Cache = NonNullable<ConstructorParameters<typeof Client>[0]['cache']>

/** With a cache that is shared in place of the one in memory. */
export const contender: Contender = {
  name: NODE_SDK,
  open({ redisUrl, upstreamUrl }) {
    const redis = new Redis(redisUrl)
    const nameOf = (key: unknown, namespace = '') => `node-sdk:${namespace}:${String(key)}`
    const cache: Cache = {
      async get(key, options) {
        const text = await redis.get(nameOf(key, options?.namespace))
        return text === null ? undefined : JSON.parse(text)
      },
      async set(key, value, expire, options) {
        const name = nameOf(key, options?.namespace)
        await (expire === undefined ? redis.set(name, JSON.stringify(value)) : redis.set(name, JSON.stringify(value), 'PXAT', expire))
        return true
      },
    }
    return (appId) => {
      const { tokenManager } = new Client({
        appId,
        appSecret: SECRET,
        appType: AppType.SelfBuild,
        domain: upstreamUrl,
        loggerLevel: LoggerLevel.error,
        cache,
      })
      return async () => (await tokenManager.getTenantAccessToken()) as string
    }
  },
}
