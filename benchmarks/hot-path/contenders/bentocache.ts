import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** Two levels and a bus, with a grace period. */
export const contender: Contender = {
  name: 'bentocache 1.6',
  async open(keys, redisUrl) {
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
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const get = (index: number) =>
      bento.getOrSet({ key: names[index] as string, ttl: LIFE_MS, grace: LIFE_MS, factory: async () => tokenValue(index) })
    for (const index of names.keys()) await get(index)
    return { ways: { 'getOrSet(key)': { async: get } } }
  },
}
