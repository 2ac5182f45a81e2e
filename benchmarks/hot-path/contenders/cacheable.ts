import KeyvRedis from '@keyv/redis'
import { Cacheable } from 'cacheable'
import { library } from '../../measure/library.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** Two levels. */
export const contender: Contender = {
  name: library('cacheable'),
  async open(keys, redisUrl) {
    const cache = new Cacheable({ secondary: new KeyvRedis(redisUrl), ttl: LIFE_MS })
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const get = (index: number) => cache.getOrSet(names[index] as string, async () => tokenValue(index), { ttl: LIFE_MS })
    for (const index of names.keys()) await get(index)
    return { ways: { 'getOrSet(key)': { async: get } } }
  },
}
