import { setTimeout as passed } from 'node:timers/promises'
import { requestToken } from '../../measure/upstream-client.ts'
import type { Contender } from '../../stampede/contender.ts'

/** Asks again when everybody has been served. */
export const contender: Contender = {
  name: 'again',
  open:
    ({ upstreamUrl }) =>
    (clientId) =>
    async () => {
      const { value } = await requestToken(upstreamUrl, clientId)
      void passed(100).then(() => requestToken(upstreamUrl, clientId))
      return value
    },
}
