import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { library } from './library.ts'

export const BENTOCACHE = library('bentocache')

/** Two levels and a bus, as its documentation recommends for several processes. */
export function openBentocache(redisUrl: string) {
  const { hostname: host, port } = new URL(redisUrl)
  const connection = { host, port: Number(port) }
  return new BentoCache({
    default: 'tokens',
    stores: {
      tokens: bentostore()
        .useL1Layer(memoryDriver({ maxItems: 100_000 }))
        .useL2Layer(redisDriver({ connection }))
        .useBus(redisBusDriver({ connection })),
    },
  })
}
