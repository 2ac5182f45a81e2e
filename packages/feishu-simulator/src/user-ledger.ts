import { randomBytes } from 'node:crypto'
import type { TokenState } from './ledger.ts'
import { type AccessToken, Login, type OpenRefreshToken, type RefreshToken, snapshotOf, type UserLogin } from './login.ts'
import type { OauthCode } from './oauth-refusal.ts'
import type { RequestRecord } from './request-log.ts'
import { type TokenForm, tokenValue } from './token-value.ts'

export interface UserLedgerOptions {
  /** Milliseconds since the Unix epoch; never goes back. */
  readonly now: () => number
  readonly accessTokenLifeMs: number
  readonly refreshTokenLifeMs: number
  readonly codeLifeMs: number
  readonly tokenForm: TokenForm
  readonly refreshReuse: 'revoke-login' | 'refuse'
  readonly oldUserToken: 'valid' | 'revoked'
}

/** What a user agreed to. */
export interface Consent {
  /** The exchange has to name the same. Absent: it may name any. */
  readonly redirectUri?: string
  /** Space-separated. Without `offline_access` there is no refresh token. Default `auth:user.id:read offline_access`. */
  readonly scope?: string
}

/** A code or a refresh token was exchanged for these. */
export interface Grant {
  readonly accessToken: AccessToken
  readonly refreshToken?: RefreshToken
  readonly scope: string
  readonly atMs: number
  /** The refresh token that was used up. */
  readonly used?: RefreshToken
  /** Every refresh token of the login, oldest first, the new one included. */
  readonly history: readonly RefreshToken[]
}

interface Code extends Consent {
  readonly userId: string
  readonly scope: string
  readonly issuedAtMs: number
  isUsed: boolean
}

const DEFAULT_SCOPE = 'auth:user.id:read offline_access'

/** Every code, login and token of the users of one app, and the only place that knows what they are worth. */
export class UserLedger {
  readonly options: UserLedgerOptions
  readonly #codes = new Map<string, Code>()
  readonly #logins: Login[] = []
  readonly #accessTokens = new Map<string, { readonly token: AccessToken; readonly login: Login }>()
  readonly #refreshTokens = new Map<string, { readonly token: OpenRefreshToken; readonly login: Login }>()

  constructor(options: UserLedgerOptions) {
    this.options = options
  }

  /** The user has agreed: a code for one exchange. */
  issueCode(userId: string, consent: Consent = {}): string {
    const value = randomBytes(16).toString('hex')
    this.#codes.set(value, { scope: DEFAULT_SCOPE, ...consent, userId, issuedAtMs: this.options.now(), isUsed: false })
    return value
  }

  /** Exchanges a code for a new login; the code of the refusal where it may not be. */
  redeem(value: string, redirectUri: string | undefined): Grant | OauthCode {
    const code = this.#codes.get(value)
    const atMs = this.options.now()
    if (code === undefined) return 20003
    if (code.isUsed) return 20065
    if (atMs - code.issuedAtMs >= this.options.codeLifeMs) return 20004
    if (code.redirectUri !== undefined && code.redirectUri !== redirectUri) return 20071
    code.isUsed = true
    const login = new Login(code.userId, code.scope, atMs)
    this.#logins.push(login)
    return this.#grant(login, atMs)
  }

  /** Exchanges a refresh token, which is used up; the code of the refusal where it may not be. A second exchange costs the login. */
  refresh(value: string): Grant | OauthCode {
    const known = this.#refreshTokens.get(value)
    if (known === undefined) return 20026
    const { token, login } = known
    const atMs = this.options.now()
    if (token.usedAtMs !== undefined) {
      if (this.options.refreshReuse === 'revoke-login') login.revoke({ atMs, why: 'reuse' })
      return 20073
    }
    if (login.revocation) return 20064
    if (token.expiresAtMs <= atMs) return 20037
    token.usedAtMs = atMs
    login.rotations += 1
    if (this.options.oldUserToken === 'revoked') login.revokeAccessTokens(atMs)
    return { ...this.#grant(login, atMs), used: token }
  }

  /** Notes that a request carried a refresh token, whatever becomes of the request. */
  present(value: string, request: RequestRecord): void {
    this.#refreshTokens.get(value)?.token.presentations.push(request)
  }

  judge(value: string): TokenState {
    const atMs = this.options.now()
    const access = this.#accessTokens.get(value)
    const refresh = this.#refreshTokens.get(value)
    const known = access ?? refresh
    if (known === undefined) return 'unknown'
    if (known.login.revocation || access?.token.revokedAtMs !== undefined || refresh?.token.usedAtMs !== undefined) return 'revoked'
    return known.token.expiresAtMs > atMs ? 'valid' : 'expired'
  }

  ownerOfAccessToken(value: string): string | undefined {
    return this.#accessTokens.get(value)?.login.userId
  }

  ownerOfRefreshToken(value: string | undefined): string | undefined {
    return value === undefined ? undefined : this.#refreshTokens.get(value)?.login.userId
  }

  ownerOfCode(value: string | undefined): string | undefined {
    return value === undefined ? undefined : this.#codes.get(value)?.userId
  }

  /** The newest login of a user. */
  login(userId: string): UserLogin | undefined {
    const login = this.#newest(userId)
    return login && snapshotOf(login, this.options.now())
  }

  /** Every login there was, oldest first. */
  logins(): UserLogin[] {
    return this.#logins.map((login) => snapshotOf(login, this.options.now()))
  }

  /** Kills the newest access token of a user alone, or the newest login with all its tokens. Returns the newest access token. */
  revoke(userId: string, what: 'access-token' | 'login'): string | undefined {
    const login = this.#newest(userId)
    const atMs = this.options.now()
    const token = login?.accessTokens.at(-1)
    if (login === undefined || token === undefined) return undefined
    if (what === 'login') login.revoke({ atMs, why: 'revoked' })
    else login.revokeAccessTokens(atMs)
    return token.value
  }

  #newest(userId: string): Login | undefined {
    return this.#logins.findLast((login) => login.userId === userId)
  }

  #grant(login: Login, atMs: number): Grant {
    const { accessTokenLifeMs, refreshTokenLifeMs, tokenForm } = this.options
    const accessToken: AccessToken = { value: tokenValue('u-', tokenForm), issuedAtMs: atMs, expiresAtMs: atMs + accessTokenLifeMs }
    login.accessTokens.push(accessToken)
    this.#accessTokens.set(accessToken.value, { token: accessToken, login })
    const base = { accessToken, scope: login.scope, atMs, history: login.refreshTokens }
    if (!login.scope.split(' ').includes('offline_access')) return base
    const value = tokenValue('ur-', tokenForm)
    const { userId } = login
    const refreshToken: OpenRefreshToken = { value, userId, issuedAtMs: atMs, expiresAtMs: atMs + refreshTokenLifeMs, presentations: [] }
    login.refreshTokens.push(refreshToken)
    this.#refreshTokens.set(value, { token: refreshToken, login })
    return { ...base, refreshToken }
  }
}
