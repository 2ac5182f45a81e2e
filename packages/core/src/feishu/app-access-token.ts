import type { Credential } from '../credential.ts'
import { isTokenError } from '../errors.ts'
import type { AppTickets } from './app-ticket.ts'
import { feishuPolicy } from './feishu-policy.ts'
import type { Http } from './http.ts'
import { isRejectedToken } from './rejected-token.ts'
import { parseAppAccessTokenReply } from './replies.ts'
import { buildAppAccessTokenRequest } from './requests.ts'

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
    policy: feishuPolicy,
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
