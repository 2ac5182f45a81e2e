import Keyv from 'keyv'
import { library } from '../../measure/library.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

export const contender: Contender = {
  name: library('keyv'),
  async open(keys) {
    const keyv = new Keyv({ ttl: LIFE_MS })
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    for (const [index, name] of names.entries()) await keyv.set(name, tokenValue(index))
    return { ways: { 'get(key)': { async: (index) => keyv.get(names[index] as string) } } }
  },
}
