import { memoize } from '@smithy/property-provider'
import { type Contender, LIFE_MS, tokenValue } from '../contender.ts'

const SOON_MS = 5 * 60_000

/** As the AWS SDK keeps credentials. */
export const contender: Contender = {
  name: 'AWS memoize 4.5',
  async open() {
    const get = memoize(
      async () => ({ token: tokenValue(0), expiration: new Date(Date.now() + LIFE_MS) }),
      ({ expiration }) => expiration.getTime() - Date.now() < SOON_MS,
      ({ expiration }) => expiration !== undefined,
    )
    await get()
    return { ways: { 'provider()': { async: () => get() } } }
  },
}
