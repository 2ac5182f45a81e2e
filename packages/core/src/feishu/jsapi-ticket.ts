import type { Clock } from '../clock.ts'
import type { Credential } from '../credential.ts'
import type { TokenHandle } from '../token-handle.ts'
import { feishuPolicy } from './feishu-policy.ts'
import type { Http } from './http.ts'
import { MintedFrom } from './minted-from.ts'
import type { RateLimit } from './rate-limit.ts'
import { parseJsapiTicketReply } from './replies.ts'
import { buildJsapiTicketRequest } from './requests.ts'

/** The ticket that pages of a tenant are signed with, fetched with the tenant's token. */
export function jsapiTicket(options: {
  readonly key: string
  readonly config: string
  readonly tenant: TokenHandle
  readonly http: Http
  readonly clock: Clock
  readonly limit: RateLimit
}): Credential {
  const { key, config, tenant, http, clock, limit } = options
  const source = new MintedFrom(tenant, 'tenant_access_token', clock)
  return {
    key,
    policy: feishuPolicy,
    config,
    // It is refused in a browser, where nobody calls through a handle.
    isRejected: () => false,
    missing() {
      limit.prepare()
      return source.missing()
    },
    fetch: ({ signal, assertInTime }) =>
      source.mint(assertInTime, ({ value }) =>
        limit.pass(async () => {
          assertInTime()
          const reply = await http.post(buildJsapiTicketRequest({ tenantAccessToken: value }), { signal })
          return parseJsapiTicketReply(reply, [value])
        }),
      ),
  }
}
