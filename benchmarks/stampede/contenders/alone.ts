import { requestToken } from '../../measure/upstream-client.ts'
import type { Contender } from '../contender.ts'

/** Shares nothing: each process asks for a token of its own, for all of its callers. */
export const contender: Contender = {
  name: 'no sharing, a request of each process',
  open:
    ({ upstreamUrl }) =>
    (clientId) => {
      let underWay: Promise<string> | undefined
      return () => {
        underWay ??= requestToken(upstreamUrl, clientId).then(({ value }) => value)
        return underWay
      }
    },
}
