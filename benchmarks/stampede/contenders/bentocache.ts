import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { requestToken } from '../../measure/upstream-client.ts'
import { type Contender, LIFE_MS } from '../contender.ts'

/** Two levels and a bus, with a grace period, and the life that the upstream tells. */
export const contender: Contender = {
  name: 'bentocache 1.6',
  open({ redisUrl, upstreamUrl }) {
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
    return (clientId) => () =>
      bento.getOrSet({
        key: clientId,
        grace: LIFE_MS,
        async factory({ setOptions }) {
          const { value, expiresInMs } = await requestToken(upstreamUrl, clientId)
          setOptions({ ttl: expiresInMs })
          return value
        },
      })
  },
}
