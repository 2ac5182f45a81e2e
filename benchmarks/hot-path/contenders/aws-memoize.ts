import { memoize } from '@smithy/property-provider'
import { library } from '../../measure/library.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

const SOON_MS = 5 * 60_000

/** As the AWS SDK keeps credentials; it keeps one, so each key has a provider, found in a `Map`. */
export const contender: Contender = {
  name: library('@smithy/property-provider', 'AWS memoize'),
  async open(keys) {
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const providers = new Map(names.map((name, index) => [name, provider(index)]))
    for (const [index, name] of names.entries()) {
      if ((await providers.get(name)?.())?.token !== tokenValue(index)) throw new Error('no token')
    }
    const only = providers.get(keyName(0)) as ReturnType<typeof provider>
    return {
      ways: {
        'provider()': { async: () => only() },
        'provider() of a key': { async: (index) => (providers.get(names[index] as string) as typeof only)() },
      },
    }
  },
}

function provider(index: number) {
  return memoize(
    async () => ({ token: tokenValue(index), expiration: new Date(Date.now() + LIFE_MS) }),
    ({ expiration }) => expiration.getTime() - Date.now() < SOON_MS,
    ({ expiration }) => expiration !== undefined,
  )
}
