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
/** Whoever is given a login sends it to the store so soon, milliseconds: in the same breath. */
const SHARED_MS = 1_000

/** What one authorisation has led to. All of it ends when a used refresh token is used again. */
interface Family {
  readonly userId: string
  /** Grows with each authorisation. */
  readonly number: number
  isRevoked: boolean
  /** When the store last took a login of it. */
  storedAt?: number
}

/** What a user had when `forget()` was called, and is to be served and refreshed no more. Moments are true time, milliseconds. */
interface Forgotten {
  /** Of the last authorisation. */
  readonly number: number
  readonly calledAt: number
}

/** Who sends a refresh token. */
export interface Spender {
  readonly name: string
  /** Whether it still is: neither killed nor being closed. */
  readonly isUp: () => boolean
  /** When it last stood still. */
  readonly pausedAt: () => number
  /** When its machine last slept: too short a sleep is not noticed, and makes a lease longer by as much. */
  readonly sleptAt: () => number
  /** By login: the newest that its callers were given, and it must not go back behind. */
  readonly served: Map<object, number>
}

/** One request with a refresh token. Moments are true time, milliseconds. */
export interface Spending {
  readonly by: Spender
  readonly sentAt: number
  /** Its sender has slept since it was granted the lease, or may have. */
  readonly isAfterSleep: boolean
  /** When it used the token up. */
  arrivedAt?: number
  /** When its sender had the reply, and still waited for it. */
  answeredAt?: number
}

interface RefreshToken {
  readonly family: Family
  /** How many refreshes have led to it. */
  readonly generation: number
  readonly endsAt: number
  /** What it was used up for, and by what request. */
  successor?: RefreshToken
  spending?: Spending | undefined
  /** When it was first sent to the store. */
  sharedAt?: number
  /** When the store took it, as far as the store has not forgotten that. */
  publishedAt?: number
  /** When it was last sent by a process that does not know what became of it. */
  spent?: Spending
}

interface GrantedAccess {
  readonly family: Family
  /** That of the refresh token with which it came. */
  readonly generation: number
  readonly givenOut: GivenOut
  isRevoked: boolean
}

type LoginSurroundings = Pick<Surroundings, 'now' | 'at' | 'note' | 'violate' | 'watchStore'>

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
  readonly #access = new Map<string, GrantedAccess>()
  readonly #refresh = new Map<string, RefreshToken>()
  #count = 0
  /** By the store's key, and of all: when the store last lost data. */
  readonly #lostAt = new Map<string | undefined, number>()
  /** By user: when the store last took a login. */
  readonly #publishedAt = new Map<string, number>()
  /** By user: what the store took last. */
  readonly #stored = new Map<string, Family>()
  /** By code: what it was exchanged for. */
  readonly #exchanged = new Map<string, Family>()
  /** By user, the last one. */
  readonly #forgotten = new Map<string, Forgotten>()
  /** By user: the store's key, once it is known. */
  readonly #keys = new Map<string, string>()
  /** By the store's key: when it last took something that is no login. */
  readonly #emptiedAt = new Map<string, number>()
  #clockSetAt = Number.NEGATIVE_INFINITY

  constructor(surroundings: LoginSurroundings) {
    this.#surroundings = surroundings
    surroundings.watchStore({
      sent: (key, { value }) => {
        const token = this.#storedIn(value)
        if (token === undefined) return
        token.sharedAt ??= surroundings.now()
        this.#keys.set(token.family.userId, key)
      },
      published: (key, { value }) => this.#published(key, value),
      lost: (key) => {
        this.#lostAt.set(key, surroundings.now())
        for (const token of this.#refresh.values()) {
          if (!this.#isOf(token.family, key)) continue
          delete token.publishedAt
          delete token.spent
        }
      },
      clockSet: () => {
        this.#clockSetAt = surroundings.now()
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
    const family: Family = { userId, number: ++this.#count, isRevoked: false }
    this.#exchanged.set(code, family)
    return this.#grant(family, access)
  }

  /** Somebody is told that the authorisation with this code is done: the fleet has it, or a later one. */
  authorized(code: string, calledAt: number): void {
    const { violate } = this.#surroundings
    const family = this.#exchanged.get(code)
    if (family === undefined) violate('an authorisation is said to be done whose code nobody has exchanged')
    else if (this.#whenLost(family) < calledAt && !this.#isStored(family, calledAt)) {
      violate('an authorisation is said to be done, and the store never took it')
    }
  }

  /**
   * What `forget()` is about to take from the fleet.
   * @returns to be called when it has resolved; says of a value whether it is of what was taken, as long as the store knows that
   */
  forgetting(userId: string): () => (access: string) => boolean {
    const { now, violate } = this.#surroundings
    const [number, calledAt] = [this.#count, now()]
    // What the store had lost by then others may have under versions that are above anything it has granted since: they go on from it.
    const isStored = this.#whenLost({ userId }) < (this.#publishedAt.get(userId) ?? Number.NEGATIVE_INFINITY)
    return () => {
      if (this.#whenLost({ userId }) >= calledAt) return () => false
      if (isStored) this.#forgotten.set(userId, { number, calledAt })
      const emptiedAt = this.#emptiedAt.get(this.#keys.get(userId) ?? '')
      // Of a user who never was logged in the key is not known.
      const isTaken = (emptiedAt !== undefined && emptiedAt >= calledAt) || this.#isFollowed(userId, number)
      if (this.#keys.has(userId) && !isTaken) violate(`${userId} is said to be forgotten, and the store never took it`)
      const at = now()
      return (access) => {
        const given = this.#access.get(access)
        if (given === undefined || given.family.number > number || this.#whenLost({ userId }) >= calledAt) return false
        return isStored || given.givenOut.at <= at
      }
    }
  }

  /** Whose refresh token it is; the empty string for what was never given out. */
  userOf(refreshToken: string): string {
    return this.#refresh.get(refreshToken)?.family.userId ?? ''
  }

  /** A process sends a refresh token. */
  sent(value: string, by: Spender): Spending {
    const { now, violate } = this.#surroundings
    const spending: Spending = { by, sentAt: now(), isAfterSleep: now() - by.sleptAt() < LOST_LEASE_MS }
    const token = this.#refresh.get(value)
    if (token === undefined) return spending
    const { spent, successor, family, generation } = token
    if (generation < (by.served.get(family) ?? 0)) violate(`${by.name} used a refresh token again although it has its successor`)
    // A clock that is set may end a lease before its time.
    const isLeaseLost = now() - Math.max(this.#whenLost(token.family), this.#clockSetAt) < LOST_LEASE_MS
    if (spent !== undefined && now() - spent.sentAt < TAKEOVER_DELAY_MS && !isLeaseLost && !spent.isAfterSleep && !spending.isAfterSleep) {
      violate(`a refresh token was used again after ${(now() - spent.sentAt).toFixed(0)} ms`)
    }
    if (successor?.publishedAt !== undefined && now() - successor.publishedAt > seenWithinMs(spending)) {
      violate('a refresh token was used again although its successor is in the store')
    }
    const forgotten = this.#whenForgotten(token.family)
    // Whoever stood still, or goes by a lease that the store has let go, has not heard of it.
    const isUnheard = (calledAt: number) => Math.max(by.pausedAt(), this.#clockSetAt) >= calledAt - LOST_LEASE_MS
    if (forgotten !== undefined && !isUnheard(forgotten.calledAt)) violate('a login was refreshed after it had been forgotten')
    token.spent = spending
    return spending
  }

  /** Callers of a process are given this. */
  given(access: string, by: Spender): void {
    const granted = this.#access.get(access)
    if (granted === undefined) return
    const { family, generation } = granted
    by.served.set(family, Math.max(generation, by.served.get(family) ?? 0))
  }

  /** The sender has what a refresh token was used up for: it is the only one, and shares it. */
  answered(value: string, spending: Spending): void {
    const { now, at, violate } = this.#surroundings
    spending.answeredAt = now()
    const token = this.#refresh.get(value)
    at(now() + SHARED_MS, () => {
      if (token?.successor === undefined || token.successor.sharedAt !== undefined || isGone(spending)) return
      // It was overtaken by an authorisation, and stays where it is.
      if ((this.#publishedAt.get(token.family.userId) ?? Number.NEGATIVE_INFINITY) >= spending.sentAt) return
      violate(`${spending.by.name} was given a login and did not share it`)
    })
  }

  /** The sender has been told that it was not taken. */
  refused(value: string): void {
    const token = this.#refresh.get(value)
    if (token !== undefined) delete token.spent
  }

  /** @param spending the request, where somebody is to be held to it */
  refresh(value: string, access?: AccessToken, spending?: Spending): Granted {
    const { now, note, violate } = this.#surroundings
    const token = this.#refresh.get(value)
    if (token === undefined) return { code: 20_026, error_description: 'an unknown refresh token' }
    if (token.family.isRevoked) return { code: 20_064, error_description: 'revoked' }
    if (token.successor !== undefined) {
      note('a login is lost')
      if (spending !== undefined && !this.#mayBeLost(token, token.successor, spending)) violate('a login is lost, and nothing went wrong')
      token.family.isRevoked = true
      return { code: 20_073, error_description: 'used before' }
    }
    if (now() >= token.endsAt) return { code: 20_037, error_description: 'expired' }
    token.spending = spending
    if (spending !== undefined) spending.arrivedAt = now()
    return this.#grant(token.family, access, token)
  }

  /** A refresh token has been used up by one request and comes with another: whether what went wrong accounts for it. */
  #mayBeLost({ spending: first }: RefreshToken, successor: RefreshToken, second: Spending): boolean {
    if (first === undefined) return true
    // A message was delivered twice, or so late that another had taken over.
    if (second === first || second.sentAt <= (first.arrivedAt ?? Number.POSITIVE_INFINITY)) return true
    // The reply was lost, or came too late.
    if (first.answeredAt === undefined || first.answeredAt >= second.sentAt) return true
    // Its holder died or stood still with it, or the store forgot it.
    if (isGone(first) || this.#whenLost(successor.family) >= first.sentAt - LOST_LEASE_MS) return true
    // The store did not take it before the one who took over had to look.
    const { sharedAt, publishedAt } = successor
    return sharedAt !== undefined && (publishedAt === undefined || second.sentAt - publishedAt <= seenWithinMs(second))
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
    const generation = from === undefined ? 0 : from.generation + 1
    this.#access.set(access, { family, generation, givenOut: { endsAt: now() + lifeMs, at: now(), times: 1 }, isRevoked: false })
    const token: RefreshToken = { family, generation, endsAt: now() + REFRESH_LIFE_S * 1_000 }
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

  #published(key: string, stored: string): void {
    const { now, violate } = this.#surroundings
    const token = this.#storedIn(stored)
    if (token === undefined) {
      this.#emptiedAt.set(key, now())
      for (const [userId, its] of this.#keys) if (its === key) this.#publishedAt.set(userId, now())
      return
    }
    const { family } = token
    token.publishedAt = now()
    // What the store had before it lost data others may have under versions that are above anything it has granted since.
    const lostAt = this.#whenLost(family)
    const isKnown = (one: Family) => one.storedAt !== undefined && one.storedAt > lostAt
    const before = this.#stored.get(family.userId)
    this.#stored.set(family.userId, family)
    if (token.generation > 0 && before !== undefined && before.number > family.number && isKnown(before) && isKnown(family))
      violate(`a login of ${family.userId} was replaced by what an earlier authorisation has led to`)
    family.storedAt = now()
    this.#publishedAt.set(family.userId, now())
    if (this.#whenForgotten(family) !== undefined) violate(`the store has taken a login of ${family.userId} that was forgotten`)
  }

  /** Whether the store has taken this login, or one of a later authorisation, since a moment. */
  #isStored({ userId, number, storedAt = Number.NEGATIVE_INFINITY }: Family, since: number): boolean {
    return storedAt >= since || this.#isFollowed(userId, number)
  }

  /** Whether the store has taken a login of a later authorisation. */
  #isFollowed(userId: string, number: number): boolean {
    return [...this.#exchanged.values()].some((each) => each.userId === userId && each.number > number && each.storedAt !== undefined)
  }

  /** When this login was forgotten, as far as the store has not lost that. */
  #whenForgotten({ userId, number }: Family): Forgotten | undefined {
    const forgotten = this.#forgotten.get(userId)
    return forgotten !== undefined && number <= forgotten.number && this.#whenLost({ userId }) < forgotten.calledAt ? forgotten : undefined
  }

  /** Whether a loss of the data of a key, or of all, concerns the logins of a user. */
  #isOf({ userId }: Pick<Family, 'userId'>, lost: string | undefined): boolean {
    const key = this.#keys.get(userId)
    return lost === undefined || key === undefined || key === lost
  }

  /** When the store last lost data of a user. */
  #whenLost(user: Pick<Family, 'userId'>): number {
    let last = Number.NEGATIVE_INFINITY
    for (const [key, at] of this.#lostAt) if (this.#isOf(user, key)) last = Math.max(last, at)
    return last
  }

  #storedIn(stored: string): RefreshToken | undefined {
    const value = /refresh \d+\./.exec(stored)?.[0]
    return value === undefined ? undefined : this.#refresh.get(value)
  }
}

/** Its sender has died or stood still since. */
function isGone({ by, sentAt }: Spending): boolean {
  return !by.isUp() || by.pausedAt() >= sentAt
}

/** What was in the store longer ago than this its sender has seen. */
function seenWithinMs({ by, sentAt }: Spending): number {
  return sentAt - by.pausedAt() < PAUSED_MS ? PAUSED_MS : IN_FLIGHT_MS
}
