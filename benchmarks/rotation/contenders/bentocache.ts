import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import type { Contender } from '../contender.ts'
import { freshMs, LONG_LIFE_MS } from '../schedule.ts'

/** Two levels and a bus. From when it would be renewed a token is stale, and served while the next one is fetched. */
export const contender: Contender = {
  name: 'bentocache 1.6',
  open({ redisUrl, keys, request }) {
    const { hostname: host, port } = new URL(redisUrl)
    const connection = { host, port: Number(port) }
    const bento = new BentoCache({
      default: 'tokens',
      stores: {
        tokens: bentostore()
          .useL1Layer(memoryDriver({ maxItems: 100_000 }))
          .useL2Layer(redisDriver({ connection }))
          .useBus(redisBusDriver({ connection })),
      },
    })
    return (index) =>
      bento.getOrSet({
        key: keys[index] as string,
        grace: LONG_LIFE_MS,
        timeout: 0,
        async factory({ setOptions }) {
          const { value, expiresInMs } = await request(index)
          setOptions({ ttl: freshMs(expiresInMs) })
          return value
        },
      })
  },
}
