import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** As little as a cache of tokens can do: find the token, and look at the clock. */
export const contender: Contender = {
  name: 'a Map and the clock',
  async open(keys) {
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const expiresAt = Date.now() + LIFE_MS
    const tokens = new Map(names.map((name, index) => [name, { value: tokenValue(index), expiresAt }]))
    const lookup = (index: number) => {
      const token = tokens.get(names[index] as string)
      if (token === undefined || Date.now() >= token.expiresAt) throw new Error('no token')
      return token
    }
    return { ways: { lookup: { sync: lookup }, 'async lookup': { async: async (index) => lookup(index) } } }
  },
}
