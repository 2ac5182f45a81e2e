import type { Surroundings } from '../simulation/scenario.ts'
import { type Family, type Granted, type LoginLedger, type RefreshToken, USED_BEFORE } from './login-ledger.ts'

/** A process that takes over waits at least so long before it uses a refresh token again, milliseconds. */
export const TAKEOVER_DELAY_MS = 3_000
/** Whoever has looked at the store longer ago than this should have seen what was published by then, milliseconds; whoever stood still, later. */
const IN_FLIGHT_MS = 2_000
const PAUSED_MS = 20_000
/** For so long after a loss of data somebody may go by a lease that the store knows nothing of, milliseconds. */
const LOST_LEASE_MS = 20_000
/** Whoever is given a login sends it to the store so soon, milliseconds: in the same breath. */
const SHARED_MS = 1_000

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

/** What has become of a refresh token. */
interface Trail {
  /** The request that it was used up by. */
  usedUpBy?: Spending
  /** When it was first sent to the store. */
  sharedAt?: number
  /** When the store took it, as far as the store has not forgotten that. */
  publishedAt?: number
  /** When it was last sent by a process that does not know what became of it. */
  spent?: Spending
}

type LoginSurroundings = Pick<Surroundings, 'now' | 'at' | 'note' | 'violate' | 'watchStore'>

/**
 * Holds the processes to what can be held of logins: no refresh token is used again at once, and none whose successor is in the store; what is
 * said to be authorised is in the store, and what is said to be forgotten is not.
 */
export class LoginAudit {
  readonly #surroundings: LoginSurroundings
  readonly #logins: LoginLedger
  readonly #trails = new Map<RefreshToken, Trail>()
  /** By the store's key, and of all: when the store last lost data. */
  readonly #lostAt = new Map<string | undefined, number>()
  /** By user: when the store last took a login. */
  readonly #publishedAt = new Map<string, number>()
  /** By user: what the store took last. */
  readonly #stored = new Map<string, Family>()
  /** By user: the refresh token that the store took last, unless it was told since that there is none. */
  readonly #latest = new Map<string, RefreshToken>()
  /** When the store last took a login of an authorisation. */
  readonly #storedAt = new Map<Family, number>()
  /** By user, the last one. */
  readonly #forgotten = new Map<string, Forgotten>()
  /** By user: the store's key, once it is known. */
  readonly #keys = new Map<string, string>()
  /** By the store's key: when it last took something that is no login. */
  readonly #emptiedAt = new Map<string, number>()
  #clockSetAt = Number.NEGATIVE_INFINITY

  constructor(surroundings: LoginSurroundings, logins: LoginLedger) {
    this.#surroundings = surroundings
    this.#logins = logins
    surroundings.watchStore({
      sent: (key, { value }) => {
        const token = this.#storedIn(value)
        if (token === undefined) return
        this.#trailOf(token).sharedAt ??= surroundings.now()
        this.#keys.set(token.family.userId, key)
      },
      published: (key, { value }) => this.#published(key, value),
      lost: (key) => {
        this.#lostAt.set(key, surroundings.now())
        for (const [{ family }, trail] of this.#trails) {
          if (!this.#isOf(family, key)) continue
          delete trail.publishedAt
          delete trail.spent
        }
      },
      clockSet: () => {
        this.#clockSetAt = surroundings.now()
      },
    })
  }

  /** Whether the store has a login of a user that the platform would refresh. */
  isStored(userId: string): boolean {
    const token = this.#latest.get(userId)
    if (token === undefined || token.successor !== undefined || token.family.isRevoked) return false
    return this.#whenLost(token.family) < (this.#trailOf(token).publishedAt ?? Number.NEGATIVE_INFINITY)
  }

  /** Somebody is told that the authorisation with this code is done: the fleet has it, or a later one. */
  authorized(code: string, calledAt: number): void {
    const { violate } = this.#surroundings
    const family = this.#logins.exchanged(code)
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
    const calledAt = now()
    // What the store had lost by then others may have under versions that are above anything it has granted since: they go on from it.
    const isStored = this.#whenLost({ userId }) < (this.#publishedAt.get(userId) ?? Number.NEGATIVE_INFINITY)
    const number = this.#lastNotLost(userId)
    return () => {
      if (this.#whenLost({ userId }) >= calledAt) return () => false
      if (isStored) this.#forgotten.set(userId, { number, calledAt })
      const emptiedAt = this.#emptiedAt.get(this.#keys.get(userId) ?? '')
      // Of a user who never was logged in the key is not known.
      const isTaken = (emptiedAt !== undefined && emptiedAt >= calledAt) || this.#isFollowed(userId, number)
      if (this.#keys.has(userId) && !isTaken) violate(`${userId} is said to be forgotten, and the store never took it`)
      const at = now()
      return (access) => {
        const given = this.#logins.accessToken(access)
        if (given === undefined || given.family.number > number || this.#whenLost({ userId }) >= calledAt) return false
        return isStored || given.givenOut.at <= at
      }
    }
  }

  /** A process sends a refresh token. */
  sent(value: string, by: Spender): Spending {
    const { now, violate } = this.#surroundings
    const spending: Spending = { by, sentAt: now(), isAfterSleep: now() - by.sleptAt() < LOST_LEASE_MS }
    const token = this.#logins.refreshToken(value)
    if (token === undefined) return spending
    const { successor, family, generation } = token
    const trail = this.#trailOf(token)
    const { spent } = trail
    if (generation < (by.served.get(family) ?? 0)) violate(`${by.name} used a refresh token again although it has its successor`)
    // A clock that is set may end a lease before its time.
    const isLeaseLost = now() - Math.max(this.#whenLost(family), this.#clockSetAt) < LOST_LEASE_MS
    if (spent !== undefined && now() - spent.sentAt < TAKEOVER_DELAY_MS && !isLeaseLost && !spent.isAfterSleep && !spending.isAfterSleep) {
      violate(`a refresh token was used again after ${(now() - spent.sentAt).toFixed(0)} ms`)
    }
    const publishedAt = successor && this.#trailOf(successor).publishedAt
    if (publishedAt !== undefined && now() - publishedAt > seenWithinMs(spending)) {
      violate('a refresh token was used again although its successor is in the store')
    }
    const forgotten = this.#whenForgotten(family)
    // Whoever stood still, or goes by a lease that the store has let go, has not heard of it.
    const isUnheard = (calledAt: number) => Math.max(by.pausedAt(), this.#clockSetAt) >= calledAt - LOST_LEASE_MS
    if (forgotten !== undefined && !isUnheard(forgotten.calledAt)) violate('a login was refreshed after it had been forgotten')
    trail.spent = spending
    return spending
  }

  /** The platform has answered a request with a refresh token so. */
  arrived(value: string, spending: Spending, { code }: Granted): void {
    const { now, note, violate } = this.#surroundings
    const token = this.#logins.refreshToken(value)
    if (token?.successor === undefined) return
    if (code === 0) {
      this.#trailOf(token).usedUpBy = spending
      spending.arrivedAt = now()
    } else if (code === USED_BEFORE) {
      note('a login is lost')
      if (!this.#mayBeLost(token, token.successor, spending)) violate('a login is lost, and nothing went wrong')
    }
  }

  /** The sender has what a refresh token was used up for: it is the only one, and shares it. */
  answered(value: string, spending: Spending): void {
    const { now, at, violate } = this.#surroundings
    spending.answeredAt = now()
    const token = this.#logins.refreshToken(value)
    at(now() + SHARED_MS, () => {
      if (token?.successor === undefined || this.#trailOf(token.successor).sharedAt !== undefined || isGone(spending)) return
      // It was overtaken by an authorisation, and stays where it is.
      if ((this.#publishedAt.get(token.family.userId) ?? Number.NEGATIVE_INFINITY) >= spending.sentAt) return
      violate(`${spending.by.name} was given a login and did not share it`)
    })
  }

  /** The sender has been told that it was not taken. */
  refused(value: string): void {
    const token = this.#logins.refreshToken(value)
    if (token !== undefined) delete this.#trailOf(token).spent
  }

  /** Callers of a process are given this. */
  given(access: string, by: Spender): void {
    const granted = this.#logins.accessToken(access)
    if (granted === undefined) return
    const { family, generation } = granted
    by.served.set(family, Math.max(generation, by.served.get(family) ?? 0))
  }

  /** A refresh token has been used up by one request and comes with another: whether what went wrong accounts for it. */
  #mayBeLost(token: RefreshToken, successor: RefreshToken, second: Spending): boolean {
    const { usedUpBy: first } = this.#trailOf(token)
    if (first === undefined) return true
    // A message was delivered twice, or so late that another had taken over.
    if (second === first || second.sentAt <= (first.arrivedAt ?? Number.POSITIVE_INFINITY)) return true
    // The reply was lost, or came too late.
    if (first.answeredAt === undefined || first.answeredAt >= second.sentAt) return true
    // Its holder died or stood still with it, or the store forgot it.
    if (isGone(first) || this.#whenLost(successor.family) >= first.sentAt - LOST_LEASE_MS) return true
    // The store did not take it before the one who took over had to look.
    const { sharedAt, publishedAt } = this.#trailOf(successor)
    return sharedAt !== undefined && (publishedAt === undefined || second.sentAt - publishedAt <= seenWithinMs(second))
  }

  #published(key: string, stored: string): void {
    const { now, violate } = this.#surroundings
    const token = this.#storedIn(stored)
    if (token === undefined) {
      this.#emptiedAt.set(key, now())
      for (const [userId, its] of this.#keys) {
        if (its !== key) continue
        this.#publishedAt.set(userId, now())
        this.#latest.delete(userId)
      }
      return
    }
    const { family, generation } = token
    this.#trailOf(token).publishedAt = now()
    // What the store had before it lost data others may have under versions that are above anything it has granted since.
    const lostAt = this.#whenLost(family)
    const isKnown = (one: Family) => this.#whenStored(one) > lostAt
    const before = this.#stored.get(family.userId)
    this.#stored.set(family.userId, family)
    this.#latest.set(family.userId, token)
    if (generation > 0 && before !== undefined && before.number > family.number && isKnown(before) && isKnown(family))
      violate(`a login of ${family.userId} was replaced by what an earlier authorisation has led to`)
    this.#storedAt.set(family, now())
    this.#publishedAt.set(family.userId, now())
    if (this.#whenForgotten(family) !== undefined) violate(`the store has taken a login of ${family.userId} that was forgotten`)
  }

  /** The number of the last authorisation; of one before it, if the store has lost what came after that and taken an earlier one since. */
  #lastNotLost(userId: string): number {
    const lostAt = this.#whenLost({ userId })
    const since = this.#stored.get(userId)?.number ?? 0
    const lost = [...this.#storedAt].filter(([family, at]) => family.userId === userId && family.number > since && at <= lostAt)
    return Math.min(this.#logins.count, ...lost.map(([{ number }]) => number - 1))
  }

  #whenStored(family: Family): number {
    return this.#storedAt.get(family) ?? Number.NEGATIVE_INFINITY
  }

  /** Whether the store has taken this login, or one of a later authorisation, since a moment. */
  #isStored(family: Family, since: number): boolean {
    return this.#whenStored(family) >= since || this.#isFollowed(family.userId, family.number)
  }

  /** Whether the store has taken a login of a later authorisation. */
  #isFollowed(userId: string, number: number): boolean {
    return [...this.#storedAt.keys()].some((each) => each.userId === userId && each.number > number)
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
    return value === undefined ? undefined : this.#logins.refreshToken(value)
  }

  #trailOf(token: RefreshToken): Trail {
    const known = this.#trails.get(token)
    if (known !== undefined) return known
    const trail: Trail = {}
    this.#trails.set(token, trail)
    return trail
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
