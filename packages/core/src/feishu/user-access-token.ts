import type { Credential } from '../credential.ts'
import { isTokenError, TokenError, type TokenErrorCode } from '../errors.ts'
import { Unspent } from '../failure.ts'
import { defaultPolicy, type RotatingPolicy } from '../machine/policy.ts'
import { type Http, wasNeverSent } from './http.ts'
import type { RateLimit } from './rate-limit.ts'
import { isRejectedUserToken } from './rejected-token.ts'
import { parseUserTokenReply } from './replies.ts'
import { buildUserTokenRequest } from './requests.ts'
import { decodeLogin, encodeLogin, type UserLogin } from './user-login.ts'

/** The delay is longer than a request may still be out, and its reply on its way into the store, after the lease of its holder has ended. */
export const userPolicy: RotatingPolicy = { ...defaultPolicy, takeoverDelayMs: 3_000 }

/** With these answers the upstream has looked at the refresh token and not taken it, or not looked at all. */
const REFUSALS: ReadonlySet<TokenErrorCode> = new Set<TokenErrorCode>([
  'REAUTHORIZATION_REQUIRED',
  'CONFIGURATION_REJECTED',
  'UPSTREAM_REFUSED',
  'RATE_LIMITED',
])

/** The `user_access_token` of one user, refreshed with the refresh token that came with the one before. */
export function userAccessToken(options: {
  readonly key: string
  readonly config: string
  readonly appId: string
  readonly appSecret: string
  readonly http: Http
  readonly limit: RateLimit
}): Credential {
  const { key, config, appId, appSecret, http, limit } = options
  return {
    key,
    policy: userPolicy,
    config,
    isRejected: isRejectedUserToken,
    missing() {
      limit.prepare()
      return undefined
    },
    async fetch({ signal, previous, assertInTime }) {
      const login = previous === undefined ? undefined : unspent(() => decodeLogin(previous.value))
      const refresh = login?.refresh
      if (refresh === undefined) throw new Unspent(nothingToRefresh(login))
      try {
        return await limit.pass(async () => {
          unspent(assertInTime)
          const reply = await http.post(buildUserTokenRequest({ appId, appSecret, refreshToken: refresh }), { signal })
          const granted = parseUserTokenReply('refreshing the user_access_token', reply, [appSecret, refresh])
          return { value: encodeLogin(granted), expiresInMs: granted.expiresInMs }
        })
      } catch (error) {
        if (isTokenError(error) && (REFUSALS.has(error.code) || wasNeverSent(error))) throw new Unspent(error)
        throw error
      }
    },
  }
}

/** What fails here fails before a request is sent. */
function unspent<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw isTokenError(error) ? new Unspent(error) : error
  }
}

function nothingToRefresh(login: UserLogin | undefined): TokenError {
  const next = 'Send the user to the authorisation page and call authorize() with the code that comes back.'
  return new TokenError('REAUTHORIZATION_REQUIRED', `${whyNothing(login)} ${next}`, { retryable: false })
}

function whyNothing(login: UserLogin | undefined): string {
  if (login === undefined) return 'This user has not authorised the app, or so long ago that the store has forgotten it.'
  if (login.access === '') return 'The login of this user was forgotten.'
  return 'The login of this user has ended, and it was granted without the scope offline_access, so there is no refresh token.'
}
