/** One POST to the upstream: where, and what to send as JSON. */
export interface UpstreamRequest {
  /** Path below the domain's base URL, with its leading slash. */
  readonly path: string
  readonly body: Readonly<Record<string, string>>
  /** Token for the header `Authorization`. */
  readonly bearer?: string
}

/**
 * The request that mints the `app_access_token` of a store app.
 *
 * @see https://open.feishu.cn/document/server-docs/authentication-management/access-token/app_access_token
 */
export function buildAppAccessTokenRequest(app: {
  readonly appId: string
  readonly appSecret: string
  readonly appTicket: string
}): UpstreamRequest {
  return {
    path: '/open-apis/auth/v3/app_access_token',
    body: { app_id: app.appId, app_secret: app.appSecret, app_ticket: app.appTicket },
  }
}

/**
 * The request that mints the `tenant_access_token` of a store app.
 *
 * @see https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token
 */
export function buildTenantAccessTokenRequest(from: { readonly appAccessToken: string; readonly tenantKey: string }): UpstreamRequest {
  return {
    path: '/open-apis/auth/v3/tenant_access_token',
    body: { app_access_token: from.appAccessToken, tenant_key: from.tenantKey },
  }
}

/**
 * The request that mints both tokens of a custom app.
 *
 * @see https://open.feishu.cn/document/server-docs/authentication-management/access-token/app_access_token_internal
 */
export function buildCustomAppTokensRequest(app: { readonly appId: string; readonly appSecret: string }): UpstreamRequest {
  return {
    path: '/open-apis/auth/v3/app_access_token/internal',
    body: { app_id: app.appId, app_secret: app.appSecret },
  }
}

/**
 * The request for the ticket that pages of a tenant are signed with.
 *
 * @see https://open.feishu.cn/document/uYjL24iN/uUDO3YjL1gzN24SN4cjN
 */
export function buildJsapiTicketRequest(from: { readonly tenantAccessToken: string }): UpstreamRequest {
  return { path: '/open-apis/jssdk/ticket/get', body: {}, bearer: from.tenantAccessToken }
}

/**
 * The request that brings the tokens of a user: for the code of an authorisation, or for the refresh token of the last such reply, which is
 * used up by it.
 *
 * @see https://open.feishu.cn/document/authentication-management/access-token/get-user-access-token
 * @see https://open.feishu.cn/document/authentication-management/access-token/refresh-user-access-token
 */
export function buildUserTokenRequest(
  from: { readonly appId: string; readonly appSecret: string } & (
    | { readonly code: string; readonly redirectUri: string | undefined }
    | { readonly refreshToken: string }
  ),
): UpstreamRequest {
  const client = { client_id: from.appId, client_secret: from.appSecret }
  const path = '/open-apis/authen/v2/oauth/token'
  if ('refreshToken' in from) return { path, body: { grant_type: 'refresh_token', ...client, refresh_token: from.refreshToken } }
  const redirect = from.redirectUri === undefined ? {} : { redirect_uri: from.redirectUri }
  return { path, body: { grant_type: 'authorization_code', ...client, code: from.code, ...redirect } }
}

/**
 * The request that asks the platform to push the `app_ticket` again. The ticket is not in the reply: it arrives as an event.
 *
 * @see https://open.feishu.cn/document/server-docs/authentication-management/access-token/app_ticket_resend
 */
export function buildAppTicketResendRequest(app: { readonly appId: string; readonly appSecret: string }): UpstreamRequest {
  return {
    path: '/open-apis/auth/v3/app_ticket/resend',
    body: { app_id: app.appId, app_secret: app.appSecret },
  }
}
