import type { Clock } from '../clock.ts'
import type { Credential } from '../credential.ts'
import type { TokenHandle } from '../token-handle.ts'
import type { Http } from './http.ts'
import { MintedFrom } from './minted-from.ts'
import type { RateLimit } from './rate-limit.ts'
import { isRejectedToken } from './rejected-token.ts'
import { parseTenantAccessTokenReply } from './replies.ts'
import { buildTenantAccessTokenRequest } from './requests.ts'

/** The `tenant_access_token` of a store app for one tenant, minted from the `app_access_token` that the fleet shares. */
export function tenantAccessToken(options: {
  readonly key: string
  readonly config: string
  readonly tenantKey: string
  readonly app: TokenHandle
  readonly http: Http
  readonly clock: Clock
  readonly limit: RateLimit
}): Credential {
  const { key, config, tenantKey, app, http, clock, limit } = options
  const source = new MintedFrom(app, 'app_access_token', clock)
  return {
    key,
    config,
    isRejected: isRejectedToken,
    missing() {
      limit.prepare()
      return source.missing()
    },
    fetch: ({ signal, assertInTime }) =>
      source.mint(assertInTime, ({ value }) =>
        limit.pass(async () => {
          assertInTime()
          const reply = await http.post(buildTenantAccessTokenRequest({ appAccessToken: value, tenantKey }), { signal })
          return parseTenantAccessTokenReply(reply, [value])
        }),
      ),
  }
}
