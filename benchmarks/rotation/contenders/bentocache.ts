import { BENTOCACHE, openBentocache } from '../../measure/bentocache.ts'
import type { Contender } from '../contender.ts'
import { freshMs, LONG_LIFE_MS } from '../schedule.ts'

/** From when it would be renewed a token is stale, and served while the next one is fetched. */
export const contender: Contender = {
  name: BENTOCACHE,
  open({ redisUrl, keys, request }) {
    const bento = openBentocache(redisUrl)
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
