import type { RequestRecord } from './request-log.ts'

/** One refresh token ever issued. Times are milliseconds since the Unix epoch on the simulator's clock. */
export interface RefreshToken {
  readonly value: string
  readonly userId: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** When a refresh used it up. */
  readonly usedAtMs?: number
  /** Every request that carried it, in order of arrival, whatever became of each. */
  readonly presentations: readonly RequestRecord[]
}

/** A refresh token in its ledger. */
export interface OpenRefreshToken extends RefreshToken {
  usedAtMs?: number
  readonly presentations: RequestRecord[]
}

export interface AccessToken {
  readonly value: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  revokedAtMs?: number
}

/** Why no token of a login is good any more: a refresh token was used twice, or the login was revoked on purpose. */
export interface LoginRevocation {
  readonly atMs: number
  readonly why: 'reuse' | 'revoked'
}

/** What became of one login so far; a copy, but for the requests in it, which fill up. */
export interface UserLogin {
  readonly userId: string
  readonly startedAtMs: number
  /** Whether it can still be refreshed: its newest refresh token is unused, not expired and not revoked. */
  readonly isAlive: boolean
  readonly revocation?: LoginRevocation
  /** The newest. */
  readonly accessToken: string
  /** The newest; absent where the user did not agree to `offline_access`. */
  readonly refreshToken?: string
  /** Refreshes that gave new tokens. */
  readonly rotations: number
  /** Oldest first. */
  readonly refreshTokens: readonly RefreshToken[]
}

/** One login of a user: the tokens that descend from one code. */
export class Login {
  readonly userId: string
  readonly scope: string
  readonly startedAtMs: number
  readonly accessTokens: AccessToken[] = []
  readonly refreshTokens: OpenRefreshToken[] = []
  rotations = 0
  revocation: LoginRevocation | undefined

  constructor(userId: string, scope: string, startedAtMs: number) {
    this.userId = userId
    this.scope = scope
    this.startedAtMs = startedAtMs
  }

  /** The first reason stays. */
  revoke(revocation: LoginRevocation): void {
    this.revocation ??= revocation
  }

  revokeAccessTokens(atMs: number): void {
    for (const token of this.accessTokens) token.revokedAtMs ??= atMs
  }
}

function isAlive({ revocation, refreshTokens }: Login, nowMs: number): boolean {
  const newest = refreshTokens.at(-1)
  return !revocation && newest !== undefined && newest.usedAtMs === undefined && newest.expiresAtMs > nowMs
}

export function snapshotOf(login: Login, nowMs: number): UserLogin {
  const { userId, startedAtMs, revocation, rotations } = login
  const refreshToken = login.refreshTokens.at(-1)?.value
  return {
    userId,
    startedAtMs,
    isAlive: isAlive(login, nowMs),
    ...(revocation && { revocation }),
    accessToken: login.accessTokens.at(-1)?.value ?? '',
    ...(refreshToken !== undefined && { refreshToken }),
    rotations,
    refreshTokens: login.refreshTokens.map((token) => ({ ...token, presentations: [...token.presentations] })),
  }
}
