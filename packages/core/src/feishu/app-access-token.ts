import type { Credential } from '../credential.ts'
import { isTokenError } from '../errors.ts'
import { defaultPolicy, type Policy } from '../machine/policy.ts'
import type { AppTickets } from './app-ticket.ts'
import type { Http } from './http.ts'
import { isJsonObject } from './raw-body.ts'
import { parseAppAccessTokenReply } from './replies.ts'
import { buildAppAccessTokenRequest } from './requests.ts'
import { REJECTED_TOKEN_CODES } from './upstream-codes.ts'

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

/**
 * Whether the outcome of an API call says that its app or tenant token is no longer valid: by the body's code, wherever the client
 * puts the body: the result itself, a thrown error, its `data`, its `response.data`.
 */
function isRejectedToken(outcome: unknown): boolean {
  return codesOf(outcome, 3).some((code) => REJECTED_TOKEN_CODES.has(code))
}

function codesOf(value: unknown, depth: number): number[] {
  if (!isJsonObject(value) || depth === 0) return []
  const { code, data, response } = value
  // A body that says how it went says it for all that is in it.
  if (typeof code === 'number') return [code]
  return [...codesOf(data, depth - 1), ...codesOf(response, depth - 1)]
}
