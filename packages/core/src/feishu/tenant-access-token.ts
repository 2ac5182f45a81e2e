import type { Credential, Fetched, InternalFetchContext } from '../credential.ts'
import type { MissingDependency } from '../failure.ts'
import type { Policy } from '../machine/policy.ts'
import type { TokenHandle } from '../token-handle.ts'
import type { App } from './app-credentials.ts'
import { feishuPolicy } from './feishu-policy.ts'
import { MintedFrom } from './minted-from.ts'
import type { RateLimit } from './rate-limit.ts'
import { isRejectedToken } from './rejected-token.ts'
import { parseTenantAccessTokenReply } from './replies.ts'
import { buildTenantAccessTokenRequest } from './requests.ts'

/** What all tenants of an app share. */
export interface TenantSource {
  readonly app: App
  readonly token: TokenHandle
  readonly limit: RateLimit
}

/**
 * The `tenant_access_token` of a store app for one tenant, minted from the `app_access_token` that the fleet shares. There may be a hundred
 * thousand of them.
 */
export class TenantAccessToken implements Credential {
  readonly key: string
  readonly #tenantKey: string
  readonly #source: TenantSource
  #minted: MintedFrom | undefined

  constructor(tenantKey: string, source: TenantSource) {
    // Joined, it is one string; put together from pieces it would hold on to them.
    this.key = [source.app.scope, 'tenant-access-token', encodeURIComponent(tenantKey)].join('/')
    this.#tenantKey = tenantKey
    this.#source = source
  }

  get policy(): Policy {
    return feishuPolicy
  }

  get config(): string {
    return this.#source.app.config
  }

  get isRejected(): (outcome: unknown) => boolean {
    return isRejectedToken
  }

  missing(): MissingDependency | undefined {
    const { limit, token } = this.#source
    limit.prepare()
    if (this.#minted === undefined && token.peek() !== undefined) return undefined
    this.#minted ??= mintedFrom(this.#source)
    return this.#minted.missing()
  }

  async fetch({ signal, assertInTime }: InternalFetchContext): Promise<Fetched> {
    const { app, limit } = this.#source
    this.#minted ??= mintedFrom(this.#source)
    const fetched = await this.#minted.mint(assertInTime, ({ value }) =>
      limit.pass(async () => {
        assertInTime()
        const request = buildTenantAccessTokenRequest({ appAccessToken: value, tenantKey: this.#tenantKey })
        return parseTenantAccessTokenReply(await app.http.post(request, { signal }), [value])
      }),
    )
    // What it remembers is of failures.
    this.#minted = undefined
    return fetched
  }
}

function mintedFrom({ app, token }: TenantSource): MintedFrom {
  return new MintedFrom(token, 'app_access_token', app.inside.clock)
}
