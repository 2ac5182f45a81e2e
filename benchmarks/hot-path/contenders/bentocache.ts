import { BENTOCACHE, openBentocache } from '../../measure/bentocache.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** With a grace period. */
export const contender: Contender = {
  name: BENTOCACHE,
  async open(keys, redisUrl) {
    const bento = openBentocache(redisUrl)
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const get = (index: number) =>
      bento.getOrSet({ key: names[index] as string, ttl: LIFE_MS, grace: LIFE_MS, factory: async () => tokenValue(index) })
    for (const index of names.keys()) await get(index)
    return { ways: { 'getOrSet(key)': { async: get } } }
  },
}
