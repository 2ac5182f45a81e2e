import type { Credential } from '../credential.ts'
import { managerClosed, TokenError } from '../errors.ts'
import { decodeFailure } from '../failure.ts'
import type { Inside } from '../inside.ts'
import { renewInMs } from '../machine/policy.ts'
import { checkObject, checkText, checkTexts, describe } from '../options.ts'
import { ProjectedHandle } from '../projected-handle.ts'
import { KEYS_AT_ONCE } from '../reads.ts'
import type { Snapshot } from '../store.ts'
import type { TokenHandle } from '../token-handle.ts'
import type { App } from './app-credentials.ts'
import { Named } from './named.ts'
import { RateLimit } from './rate-limit.ts'
import { type Replacement, replaceRecord } from './replace-record.ts'
import { parseUserTokenReply } from './replies.ts'
import { buildUserTokenRequest } from './requests.ts'
import { userAccessToken, userPolicy } from './user-access-token.ts'
import { decodeLogin, encodeLogin, FORGOTTEN } from './user-login.ts'

export interface AuthorizeInput {
  /** The `code` with which the platform sent the user back: good for 5 minutes and one use. */
  readonly code: string
  /** The `redirect_uri` of the authorisation page, where one was given. */
  readonly redirectUri?: string
}

/** What a user has granted, as far as the fleet knows. */
export interface UserAuthorization {
  readonly userId: string
  /** Until the user has to authorise again unless the tokens are refreshed before, milliseconds. 0: it has ended, or was never given. */
  readonly endsInMs: number
  /** The scopes, separated by spaces. */
  readonly scope?: string
}

/** The `user_access_token` of one user. */
export interface UserTokenHandle extends TokenHandle {
  /**
   * Exchanges the code of an authorisation for the tokens of the user, which the whole fleet uses from then on and refreshes by itself.
   * Replaces an earlier authorisation of the same user.
   * @throws TokenError `REAUTHORIZATION_REQUIRED` when the code is no good; `STORE_UNAVAILABLE`, before the code is used where possible
   * @throws TypeError
   */
  authorize(given: AuthorizeInput): Promise<UserAuthorization>
  /**
   * Takes the tokens of the user from the fleet: they are overwritten in the store and served no more, by a process that the store cannot
   * tell of it from when their renewal is due. The platform is not told.
   * @throws TokenError `STORE_UNAVAILABLE`
   */
  forget(): Promise<void>
}

export interface ExpiringOptions {
  /** 0 to 400. Default 1. With 0, only those whose authorisation has ended. */
  readonly withinDays?: number
}

const DAY_MS = 24 * 3_600_000

interface User {
  readonly credential: Credential
  readonly handle: UserTokenHandle
}

/** The users of one app: a login for each. */
export class Users {
  readonly #inside: Inside
  readonly #users: Named<User>

  constructor(app: App) {
    const { inside, http, appId, appSecret, scope, config } = app
    this.#inside = inside
    const limit = new RateLimit(inside, `${scope}/rate-limit/user-access-token`, 'user_access_token')
    this.#users = new Named('userId', inside.maxEntries, (userId) => {
      const key = `${scope}/user-access-token/${encodeURIComponent(userId)}`
      const credential = userAccessToken({ key, config, appId, appSecret, http, limit })
      return { credential, handle: new UserHandle(app, limit, userId, credential) }
    })
  }

  /** @throws TypeError for what cannot be the name of a user */
  handle(userId: string): UserTokenHandle {
    return this.#users.get(userId).handle
  }

  /** @throws TokenError `STORE_UNAVAILABLE`, `RECORD_UNREADABLE`, `CLOSED`; TypeError */
  async expiring(userIds: Iterable<string>, options: ExpiringOptions): Promise<UserAuthorization[]> {
    checkObject(options, 'expiringAuthorizations', ['withinDays'])
    const { withinDays = 1 } = options
    if (typeof withinDays !== 'number' || !(withinDays >= 0 && withinDays <= 400)) {
      throw new TypeError(`withinDays: expected 0 to 400, got ${typeof withinDays === 'number' ? withinDays : describe(withinDays)}`)
    }
    const users = Array.from(checkTexts(userIds, 'userIds'), (userId) => ({ userId, key: this.#users.get(userId).credential.key }))
    const found: UserAuthorization[] = []
    for (let from = 0; from < users.length; from += KEYS_AT_ONCE) {
      if (this.#inside.closed) throw managerClosed()
      const batch = users.slice(from, from + KEYS_AT_ONCE)
      const { answer } = await this.#inside.calls.readAll(batch.map(({ key }) => key))
      for (const [index, { userId }] of batch.entries()) {
        const snapshot = answer[index]
        if (snapshot !== undefined) found.push(authorizationOf(userId, snapshot))
      }
    }
    return found.filter(({ endsInMs }) => endsInMs <= withinDays * DAY_MS).sort((a, b) => a.endsInMs - b.endsInMs)
  }
}

class UserHandle extends ProjectedHandle implements UserTokenHandle {
  readonly #app: App
  readonly #limit: RateLimit
  readonly #userId: string
  readonly #credential: Credential
  readonly #login: TokenHandle

  constructor(app: App, limit: RateLimit, userId: string, credential: Credential) {
    const login = app.inside.token(credential)
    super(login, credential.key, (stored) => decodeLogin(stored).access)
    this.#login = login
    this.#app = app
    this.#limit = limit
    this.#userId = userId
    this.#credential = credential
  }

  async authorize(given: AuthorizeInput): Promise<UserAuthorization> {
    checkObject(given, 'authorize', ['code', 'redirectUri'])
    const { code, redirectUri } = given
    checkText(code, 'code', 2_000)
    if (redirectUri !== undefined) checkText(redirectUri, 'redirectUri', 2_000)
    const { inside, http, appId, appSecret } = this.#app
    this.#limit.prepare()
    const { made, ageMs } = await this.#replace(async (signal) => {
      const login = await this.#limit.pass(async () => {
        const request = buildUserTokenRequest({ appId, appSecret, code, redirectUri })
        return parseUserTokenReply('exchanging the code of a user', await http.post(request, { signal }), [appSecret, code])
      })
      const repeatable = login.refresh === undefined
      const renewIn = renewInMs(login.expiresInMs, inside.random.fraction(), userPolicy)
      return { ...login, value: encodeLogin(login), renewInMs: renewIn, repeatable }
    })
    const { refresh, refreshExpiresInMs, expiresInMs, scope } = made
    const endsInMs = Math.max(0, (refresh === undefined ? expiresInMs : refreshExpiresInMs) - ageMs)
    return { userId: this.#userId, endsInMs, ...(scope === undefined ? {} : { scope }) }
  }

  async forget(): Promise<void> {
    const { inside } = this.#app
    const { version } = await this.#replace(async () => ({ value: FORGOTTEN, expiresInMs: 0, renewInMs: 0, repeatable: true }))
    // What others have in memory ends with the rejection.
    const { answer, sentAt } = await inside.calls.invalidate(this.#credential.key, version)
    // This process goes by it at once, whether or not the store answers once more.
    inside.learn(this.#credential, answer, sentAt)
  }

  async #replace<Made extends Replacement>(make: (signal: AbortSignal) => Promise<Made>) {
    const { inside } = this.#app
    const replaced = await inside.track(replaceRecord(inside, this.#credential, make))
    await this.#learn()
    return replaced
  }

  /** This process goes by it at once. */
  #learn(): Promise<void> {
    return this.#app.inside.adopt([this.#login])
  }
}

/** @throws TokenError `RECORD_UNREADABLE`: that a process has not got the key is no reason to send its users to the authorisation page */
function authorizationOf(userId: string, { value, expiresInMs, rejectedUpTo, version, backoff }: Snapshot): UserAuthorization {
  if (value === undefined && version > 0) {
    const message = `The login of "${userId}" cannot be read with the keys of this process, so its end is not known: see encryption.keys.`
    throw new TokenError('RECORD_UNREADABLE', message, { retryable: false })
  }
  const refused = backoff !== undefined && decodeFailure(backoff.failure, 0)?.code === 'REAUTHORIZATION_REQUIRED'
  if (value === undefined || refused) return { userId, endsInMs: 0 }
  const { access, refresh, outlivesMs, scope } = decodeLogin(value)
  const gone = access === '' || (refresh === undefined && version <= rejectedUpTo)
  return { userId, endsInMs: gone ? 0 : Math.max(0, expiresInMs + outlivesMs), ...(scope === undefined ? {} : { scope }) }
}
