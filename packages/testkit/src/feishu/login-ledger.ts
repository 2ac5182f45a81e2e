import type { GivenOut, Worth } from '../simulation/scenario.ts'

/** A quarter of what the platform gives: refreshes are what there is to go wrong. */
const ACCESS_LIFE_MS = 30 * 60_000
const REFRESH_LIFE_S = 7 * 24 * 3_600

/** What one authorisation has led to. All of it ends when a used refresh token is used again. */
export interface Family {
  readonly userId: string
  /** Grows with each authorisation. */
  readonly number: number
  isRevoked: boolean
}

export interface RefreshToken {
  readonly family: Family
  /** How many refreshes have led to it. */
  readonly generation: number
  readonly endsAt: number
  /** What it was used up for. */
  successor?: RefreshToken
}

export interface GrantedAccess {
  readonly family: Family
  /** That of the refresh token with which it came. */
  readonly generation: number
  readonly givenOut: GivenOut
  isRevoked: boolean
}

/** What the platform answers: its code, and the tokens with code 0. */
export type Granted = Readonly<Record<string, string | number>>

/** An access token that is not as the others. */
export interface AccessToken {
  readonly value?: string | undefined
  readonly lifeMs?: number | undefined
}

/** The answer to a refresh token that was used before: the login is lost. */
export const USED_BEFORE = 20_073

/** Logins as the platform keeps them: refresh tokens that one request uses up, and a family of tokens that dies when one is used twice. */
export class LoginLedger {
  readonly #now: () => number
  /** Whose they are. */
  readonly #codes = new Map<string, string>()
  /** By code: what it was exchanged for. */
  readonly #exchanged = new Map<string, Family>()
  readonly #access = new Map<string, GrantedAccess>()
  readonly #refresh = new Map<string, RefreshToken>()
  #count = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** No authorisation so far has a higher number, and each that comes has. */
  get count(): number {
    return this.#count
  }

  /** What the authorisation page sends a user back with. */
  code(userId: string): string {
    const code = `code ${++this.#count}`
    this.#codes.set(code, userId)
    return code
  }

  exchange(code: string, access?: AccessToken): Granted {
    const userId = this.#codes.get(code)
    if (userId === undefined) return { code: 20_003, error_description: 'the code was used' }
    this.#codes.delete(code)
    const family: Family = { userId, number: ++this.#count, isRevoked: false }
    this.#exchanged.set(code, family)
    return this.#grant(family, access)
  }

  refresh(value: string, access?: AccessToken): Granted {
    const token = this.#refresh.get(value)
    if (token === undefined) return { code: 20_026, error_description: 'an unknown refresh token' }
    if (token.family.isRevoked) return { code: 20_064, error_description: 'revoked' }
    if (token.successor !== undefined) {
      token.family.isRevoked = true
      return { code: USED_BEFORE, error_description: 'used before' }
    }
    if (this.#now() >= token.endsAt) return { code: 20_037, error_description: 'expired' }
    return this.#grant(token.family, access, token)
  }

  /** What a code was exchanged for. */
  exchanged(code: string): Family | undefined {
    return this.#exchanged.get(code)
  }

  accessToken(value: string): GrantedAccess | undefined {
    return this.#access.get(value)
  }

  refreshToken(value: string): RefreshToken | undefined {
    return this.#refresh.get(value)
  }

  /** Whose refresh token it is; the empty string for what was never given out. */
  userOf(refreshToken: string): string {
    return this.#refresh.get(refreshToken)?.family.userId ?? ''
  }

  worth(access: string): Worth {
    const token = this.#access.get(access)
    if (token === undefined) return 'unknown'
    if (this.#now() >= token.givenOut.endsAt) return 'ended'
    return token.family.isRevoked || token.isRevoked ? 'revoked' : 'valid'
  }

  /** From now on this access token is refused, and nothing else of its login. @returns whether there is such a one */
  revoke(access: string): boolean {
    const token = this.#access.get(access)
    if (token !== undefined) token.isRevoked = true
    return token !== undefined
  }

  givenOut(access: string): GivenOut | undefined {
    return this.#access.get(access)?.givenOut
  }

  #grant(family: Family, given: AccessToken = {}, from?: RefreshToken): Granted {
    const now = this.#now()
    const number = ++this.#count
    const { value: access = `access ${number}.`, lifeMs = ACCESS_LIFE_MS } = given
    const refresh = `refresh ${number}.`
    const generation = from === undefined ? 0 : from.generation + 1
    this.#access.set(access, { family, generation, givenOut: { endsAt: now + lifeMs, at: now, times: 1 }, isRevoked: false })
    const token: RefreshToken = { family, generation, endsAt: now + REFRESH_LIFE_S * 1_000 }
    this.#refresh.set(refresh, token)
    if (from !== undefined) from.successor = token
    return {
      code: 0,
      access_token: access,
      expires_in: lifeMs / 1_000,
      refresh_token: refresh,
      refresh_token_expires_in: REFRESH_LIFE_S,
      token_type: 'Bearer',
      scope: 'offline_access',
    }
  }
}
