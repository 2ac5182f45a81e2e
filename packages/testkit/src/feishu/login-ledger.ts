import type { GivenOut, Surroundings, Worth } from '../simulation/scenario.ts'

/** A quarter of what the platform gives: refreshes are what there is to go wrong. */
const ACCESS_LIFE_MS = 30 * 60_000
const REFRESH_LIFE_S = 7 * 24 * 3_600
/** A process that takes over waits at least so long before it uses a refresh token again, milliseconds. */
const TAKEOVER_DELAY_MS = 3_000
/** Whoever has looked at the store longer ago than this should have seen what was published by then, milliseconds; whoever stood still, later. */
const IN_FLIGHT_MS = 2_000
const PAUSED_MS = 20_000
/** For so long after a loss of data somebody may go by a lease that the store knows nothing of, milliseconds. */
const LOST_LEASE_MS = 20_000

/** What one authorisation has led to. All of it ends when a used refresh token is used again. */
interface Family {
  readonly userId: string
  isRevoked: boolean
}

interface RefreshToken {
  readonly family: Family
  readonly endsAt: number
  /** What it was used up for. */
  successor?: RefreshToken
  /** When the store took it, as far as the store has not forgotten that. */
  publishedAt?: number
  /** When it was last sent by a process that does not know what became of it. */
  spentAt?: number
}

type LoginSurroundings = Pick<Surroundings, 'now' | 'note' | 'violate' | 'watchStore'>

/** What the platform answers: its code, and the tokens with code 0. */
export type Granted = Readonly<Record<string, string | number>>

/** An access token that is not as the others. */
export interface AccessToken {
  readonly value?: string | undefined
  readonly lifeMs?: number | undefined
}

/**
 * Logins as the platform keeps them: refresh tokens that one request uses up, and a family of tokens that dies when one is used twice. Holds
 * the processes to what can be held: no refresh token is used again at once, and none whose successor is in the store.
 */
export class LoginLedger {
  readonly #surroundings: LoginSurroundings
  /** Whose they are. */
  readonly #codes = new Map<string, string>()
  readonly #access = new Map<string, { readonly family: Family; readonly givenOut: GivenOut; isRevoked: boolean }>()
  readonly #refresh = new Map<string, RefreshToken>()
  #count = 0
  #lostAt = Number.NEGATIVE_INFINITY

  constructor(surroundings: LoginSurroundings) {
    this.#surroundings = surroundings
    surroundings.watchStore({
      published: (_, { value }) => this.#published(value),
      lost: () => {
        this.#lostAt = surroundings.now()
        for (const token of this.#refresh.values()) {
          delete token.publishedAt
          delete token.spentAt
        }
      },
    })
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
    return this.#grant({ userId, isRevoked: false }, access)
  }

  /** Whose refresh token it is; the empty string for what was never given out. */
  userOf(refreshToken: string): string {
    return this.#refresh.get(refreshToken)?.family.userId ?? ''
  }

  /** A process sends a refresh token. @param pausedAt when it last stood still */
  sent(value: string, pausedAt = Number.NEGATIVE_INFINITY): void {
    const { now, violate } = this.#surroundings
    const token = this.#refresh.get(value)
    if (token === undefined) return
    const { spentAt, successor } = token
    const isLeaseLost = now() - this.#lostAt < LOST_LEASE_MS
    if (spentAt !== undefined && now() - spentAt < TAKEOVER_DELAY_MS && !isLeaseLost) {
      violate(`a refresh token was used again after ${(now() - spentAt).toFixed(0)} ms`)
    }
    const seenMs = now() - pausedAt < PAUSED_MS ? PAUSED_MS : IN_FLIGHT_MS
    if (successor?.publishedAt !== undefined && now() - successor.publishedAt > seenMs) {
      violate('a refresh token was used again although its successor is in the store')
    }
    token.spentAt = now()
  }

  /** The sender has been told that it was not taken. */
  refused(value: string): void {
    const token = this.#refresh.get(value)
    if (token !== undefined) delete token.spentAt
  }

  refresh(value: string, access?: AccessToken): Granted {
    const { now, note } = this.#surroundings
    const token = this.#refresh.get(value)
    if (token === undefined) return { code: 20_026, error_description: 'an unknown refresh token' }
    if (token.family.isRevoked) return { code: 20_064, error_description: 'revoked' }
    if (token.successor !== undefined) {
      note('a login is lost')
      token.family.isRevoked = true
      return { code: 20_073, error_description: 'used before' }
    }
    if (now() >= token.endsAt) return { code: 20_037, error_description: 'expired' }
    return this.#grant(token.family, access, token)
  }

  worth(access: string): Worth {
    const token = this.#access.get(access)
    if (token === undefined) return 'unknown'
    if (this.#surroundings.now() >= token.givenOut.endsAt) return 'ended'
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
    const { now } = this.#surroundings
    const number = ++this.#count
    const { value: access = `access ${number}.`, lifeMs = ACCESS_LIFE_MS } = given
    const refresh = `refresh ${number}.`
    this.#access.set(access, { family, givenOut: { endsAt: now() + lifeMs, at: now(), times: 1 }, isRevoked: false })
    const token: RefreshToken = { family, endsAt: now() + REFRESH_LIFE_S * 1_000 }
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

  #published(stored: string): void {
    const value = /refresh \d+\./.exec(stored)?.[0]
    const token = value === undefined ? undefined : this.#refresh.get(value)
    if (token !== undefined) token.publishedAt = this.#surroundings.now()
  }
}
