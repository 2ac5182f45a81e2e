import type { Credential } from '../credential.ts'
import { isTokenError } from '../errors.ts'
import { defaultPolicy, type Policy } from '../machine/policy.ts'
import type { AppTickets } from './app-ticket.ts'
import type { Http } from './http.ts'
import { isRejectedToken } from './rejected-token.ts'
import { parseAppAccessTokenReply } from './replies.ts'
import { buildAppAccessTokenRequest } from './requests.ts'

/**
 * With 30 minutes or more left the upstream answers with the same token. The minute of difference covers the way there and back:
 * asked at 30 minutes by a careful clock, it would still count a little more.
 */
export const feishuPolicy: Policy = { ...defaultPolicy, renewWindowMs: 29 * 60_000, renewJitterMs: 10 * 60_000 }

/** The `app_access_token` of a store app, minted from the app ticket. */
export function appAccessToken(options: {
  readonly key: string
  readonly config: string
  readonly appId: string
  readonly appSecret: string
  readonly tickets: AppTickets
  readonly http: Http
}): Credential {
  const { key, config, appId, appSecret, tickets, http } = options
  return {
    key,
    config,
    isRejected: isRejectedToken,
    async fetch({ signal, detached, assertInTime }) {
      const ticket = await tickets.current(detached)
      const request = buildAppAccessTokenRequest({ appId, appSecret, appTicket: ticket.value })
      assertInTime()
      const reply = await http.post(request, { signal })
      try {
        return parseAppAccessTokenReply(reply, [appSecret, ticket.value])
      } catch (error) {
        if (!isTokenError(error) || error.code !== 'TICKET_REJECTED') throw error
        await tickets.reject(ticket.version)
        throw tickets.missing(error)
      }
    },
  }
}
