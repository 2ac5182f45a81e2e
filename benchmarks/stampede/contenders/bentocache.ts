import { BENTOCACHE, openBentocache } from '../../measure/bentocache.ts'
import { requestToken } from '../../measure/upstream-client.ts'
import { type Contender, LIFE_MS } from '../contender.ts'

/** With a grace period, and the life that the upstream tells. */
export const contender: Contender = {
  name: BENTOCACHE,
  open({ redisUrl, upstreamUrl }) {
    const bento = openBentocache(redisUrl)
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
