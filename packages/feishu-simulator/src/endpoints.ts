/** `api` is every path under `/open-apis/` that no other name covers, but for `/open-apis/auth/`; `other` is everything else. */
export type Endpoint =
  | 'app_access_token'
  | 'app_access_token_internal'
  | 'tenant_access_token'
  | 'tenant_access_token_internal'
  | 'app_ticket_resend'
  | 'oauth_token'
  | 'oidc_token'
  | 'jsapi_ticket'
  | 'api'
  | 'other'

const PATHS: Readonly<Record<string, Endpoint>> = {
  '/open-apis/auth/v3/app_access_token': 'app_access_token',
  '/open-apis/auth/v3/app_access_token/internal': 'app_access_token_internal',
  '/open-apis/auth/v3/tenant_access_token': 'tenant_access_token',
  '/open-apis/auth/v3/tenant_access_token/internal': 'tenant_access_token_internal',
  '/open-apis/auth/v3/app_ticket/resend': 'app_ticket_resend',
  '/open-apis/authen/v2/oauth/token': 'oauth_token',
  '/open-apis/authen/v1/oidc/access_token': 'oidc_token',
  '/open-apis/authen/v1/oidc/refresh_access_token': 'oidc_token',
  '/open-apis/jssdk/ticket/get': 'jsapi_ticket',
}

export const ENDPOINTS: readonly Endpoint[] = [...new Set([...Object.values(PATHS), 'api' as const, 'other' as const])]

/** Tells a user about themselves; the one path of `api` that takes user tokens alone. */
export const USER_INFO_PATH = '/open-apis/authen/v1/user_info'

/** The endpoint a path belongs to. Older clients end paths with a slash. */
export function endpointOf(path: string): Endpoint {
  const known = PATHS[path.replace(/\/$/, '')]
  if (known) return known
  return path.startsWith('/open-apis/') && !path.startsWith('/open-apis/auth/') ? 'api' : 'other'
}

export type Fields = Readonly<Record<string, unknown>>

/** A request, read and parsed. */
export interface Call {
  readonly endpoint: Endpoint
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Absent when the body is not a JSON object, or was not sent as `application/json`. */
  readonly fields?: Fields
  /** The header `Authorization`. */
  readonly authorization?: string
}

/** What a token is for. A `jsapi` token is a ticket of the JS SDK. */
export type CredentialKind = 'app' | 'tenant' | 'user' | 'jsapi'

/** A token in a reply. */
export interface Minted {
  readonly of: CredentialKind
  /** Whether it was made for this reply. */
  readonly isNew: boolean
}

/** Where a reply carries its tokens. */
export interface TokenFields {
  /** The object they are in; absent: the body itself. */
  readonly within?: 'data'
  /** The main token first. */
  readonly tokens: readonly string[]
  readonly expire: string
}

/** What the platform answers, and what else the request brought about. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Fields
  /** Present when the reply carries tokens. */
  readonly tokenFields?: TokenFields
  readonly minted?: readonly Minted[]
  /** The app whose ticket is to be pushed. */
  readonly resendFor?: string
}

/** A mint that made a new token, a mint that gave the last one back, or a ticket that is to be pushed. */
export type Effect = 'new-token' | 'same-token' | 'resend'

export function effectOf({ minted, resendFor }: Answer): Effect | undefined {
  if (resendFor !== undefined) return 'resend'
  if (minted === undefined) return undefined
  return minted.some(({ isNew }) => isNew) ? 'new-token' : 'same-token'
}

/** A field that is a non-empty string. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
}
