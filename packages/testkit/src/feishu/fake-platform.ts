import type { Clock } from '@tokenwell/core'
import type { Worth } from '../simulation/scenario.ts'
import { type Minted, TokenLedger } from '../simulation/token-ledger.ts'
import {
  checkEndpoint,
  checkReply,
  endpointOf,
  type FakeEndpoint,
  type FakeRefusal,
  type FakeReply,
  type FakeRequest,
  type FakeToken,
  type HeldRequests,
} from './fake-replies.ts'
import { LoginLedger } from './login-ledger.ts'
import { plainEvent } from './plain-event.ts'
import { answer, LIFE, minted } from './platform-answers.ts'
import { ReplyScript } from './reply-script.ts'
import { type Dispatcher, type PlatformReply, type PlatformRequest, simulatedDispatcher } from './simulated-dispatcher.ts'

export interface FakePlatformOptions {
  readonly clock: Clock
  readonly appId: string
  readonly verificationToken: string
  /** What the API answers a request whose token is good. */
  readonly api: (request: FakeRequest) => object | Promise<object>
}

type Body = Readonly<Record<string, unknown>>

/** What makes tokens of one kind. `page`: tickets for the JS SDK. */
interface Minter {
  readonly kind: 'app' | 'tenant' | 'page'
  /** Empty for the app, and for the one tenant of a custom app. */
  readonly tenantKey: string
  readonly ledger: TokenLedger
}

/** Whose token it is, and what it is worth. */
interface Owner {
  readonly kind: 'app' | 'tenant' | 'user'
  readonly tenantKey: string
  readonly worth: Exclude<Worth, 'unknown'>
}

/** What the tokens of each kind begin with. */
const PREFIXES = { app: 'a', tenant: 't', page: 'jsapi' }

/** How the platform refuses what is no good token of these, and what is a token of none. */
const REFUSED = { app: 99991664, tenant: 99991663, user: 99991668, nobody: 99991671 }
const USER_TOKEN_ENDED = 99991677

const GONE: PlatformReply = { status: 503, headers: {}, body: 'the fake was closed' }

/** Feishu's end of the wire, in this process: it follows the platform's rules, but for what a test has ordered. */
export class FakePlatform {
  /** For `feishuFetch`, `feishuAuth` and any client of undici: answers their requests as the platform, and its API, would. */
  readonly dispatcher: Dispatcher = simulatedDispatcher((request, signal) => this.#serve(request, signal))
  readonly #options: FakePlatformOptions
  readonly #requests: FakeRequest[] = []
  readonly #script = new ReplyScript()
  /** Of the app, of each tenant, and of the JS SDK in each tenant, by what their tokens begin with. */
  readonly #ledgers = new Map<string, Minter>()
  readonly #logins: LoginLedger
  readonly #tickets = new Set<string>()
  readonly #deadTickets = new Set<string>()
  readonly #closed: Promise<'closed'>
  #userTokens = 0
  #events = 0
  #close = () => {}

  constructor(options: FakePlatformOptions) {
    this.#options = options
    this.#logins = new LoginLedger(() => this.#now())
    this.#closed = new Promise((resolve) => {
      this.#close = () => resolve('closed')
    })
  }

  /** Every request so far, oldest first: those of the tokens, and those that came through {@link dispatcher}. */
  get requests(): readonly FakeRequest[] {
    return this.#requests
  }

  /**
   * Answers the next requests to an endpoint, one each, in this order, in place of what it would answer by itself; `undefined` lets one pass.
   * Comes before {@link always}.
   *
   * @example
   * platform.next('tenant_access_token', { code: 10014 }, { value: 't-second', lifeMs: 60_000 })
   * @throws TypeError for an endpoint or a reply that there is not
   */
  next(endpoint: FakeEndpoint, ...replies: readonly (FakeReply | undefined)[]): void {
    checkEndpoint(endpoint)
    for (const reply of replies) if (reply !== undefined) checkReply(endpoint, reply)
    this.#script.next(endpoint, replies)
  }

  /** Answers every request to an endpoint like this, until {@link restore}. @throws TypeError as {@link next} */
  always(endpoint: FakeEndpoint, reply: FakeReply): void {
    checkEndpoint(endpoint)
    checkReply(endpoint, reply)
    this.#script.always(endpoint, reply)
  }

  /** Holds back every request to an endpoint from now on, before anything is decided about it, until they are released. @throws TypeError */
  hold(endpoint: FakeEndpoint): HeldRequests {
    checkEndpoint(endpoint)
    return this.#script.hold(endpoint)
  }

  /** Ends all that {@link next}, {@link always} and {@link hold} have ordered. What was told `'timeout'` goes without a reply. */
  restore(): void {
    this.#script.restore()
  }

  /**
   * From now on a token, or a ticket of the JS SDK, is refused, and the next mint brings another one. Nobody is told. Of a user the access token
   * dies alone: the refresh token stays good. What replaces a token that was reported is not replaced for ten seconds, whoever reports it: let the clock advance
   * before a test revokes that one, too.
   *
   * @throws TypeError for what was never given out
   */
  revoke(token: string): void {
    const ledgers = [...this.#ledgers.values()].map(({ ledger }) => ledger)
    if (![...ledgers, this.#logins].some((ledger) => ledger.revoke(token))) {
      throw new TypeError('revoke: expected a token that this platform has given out')
    }
  }

  /** What a token, or a ticket of the JS SDK, is worth now: for a test that answers API requests itself. */
  judge(token: string): Worth {
    const ledgers = [...this.#ledgers.values()].map(({ ledger }) => ledger)
    return [...ledgers, this.#logins].map((ledger) => ledger.worth(token)).find((worth) => worth !== 'unknown') ?? 'unknown'
  }

  /** From now on every app ticket so far is refused. One that comes later is good, wherever it is from; none comes by itself. */
  invalidateTickets(): void {
    for (const ticket of this.#tickets) this.#deadTickets.add(ticket)
  }

  /** The user has agreed: a code, as the authorisation page sends it back, good for one exchange. @param userId any name for the user */
  issueCode(userId: string): string {
    return this.#logins.code(userId)
  }

  /**
   * An event as the platform pushes it, without encryption: for the route under test, or for `tokens.receiveEvent`.
   *
   * @param event with its `type` and the fields of that type. Default: an `app_ticket` event with a new ticket.
   */
  buildEvent(event?: { readonly type: string } & Body): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
    const { appId, verificationToken: token } = this.#options
    const number = ++this.#events
    const app_ticket = `ticket-${number}`
    if (event === undefined) this.#tickets.add(app_ticket)
    const content = { app_id: appId, ...(event ?? { type: 'app_ticket', app_ticket }) }
    // Each is newer than the one before, also while the clock stands still.
    const epochMs = this.#now() + number / 1_000
    return {
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: plainEvent({ uuid: `event-${number}`, token, epochMs, event: content }),
    }
  }

  /** Answers whatever still waits, so that nobody waits for it; called by `close()` of the tokens. */
  close(): void {
    this.#close()
  }

  #now(): number {
    return this.#options.clock.wall()
  }

  async #serve({ method, path, fields, authorization }: PlatformRequest, signal: AbortSignal): Promise<PlatformReply> {
    const endpoint = endpointOf(path)
    const request: FakeRequest = {
      endpoint,
      method,
      path,
      fields,
      receivedAtMs: this.#now(),
      ...(authorization === undefined ? {} : { authorization }),
    }
    this.#requests.push(request)
    const scripted = this.#script.take(endpoint)
    const waits = scripted === 'timeout' ? new Promise<void>(() => {}) : this.#script.released(endpoint, signal)
    if ((await Promise.race([waits, this.#closed])) === 'closed') return GONE
    if (typeof scripted === 'object' && 'code' in scripted) return refusal(scripted)
    if (typeof scripted === 'object' && 'status' in scripted) return { status: scripted.status, headers: {}, body: '' }
    return this.#answer(request, fields, scripted === 'timeout' ? undefined : scripted)
  }

  #answer(request: FakeRequest, fields: PlatformRequest['fields'], token: FakeToken | undefined): PlatformReply | Promise<PlatformReply> {
    switch (request.endpoint) {
      case 'app_access_token':
        return this.#mintApp(fields, token)
      case 'tenant_access_token':
        return this.#mintTenant(fields, token)
      case 'app_access_token_internal': {
        const { value, endsAt } = mint(this.#ledger('tenant', ''), token)
        return answer({ ...minted('app_access_token', { value, endsAt }, this.#now()), tenant_access_token: value })
      }
      case 'app_ticket_resend':
        return answer({ code: 0, msg: 'ok' })
      case 'oauth_token':
        return this.#grant(fields, token)
      case 'jsapi_ticket':
        return this.#giveTicket(request, token)
      case 'api':
        return this.#answerApi(request)
    }
  }

  #mintApp({ app_ticket = '' }: PlatformRequest['fields'], token: FakeToken | undefined): PlatformReply {
    this.#tickets.add(app_ticket)
    if (this.#deadTickets.has(app_ticket)) return answer({ code: 10012, msg: 'app ticket invalid' })
    return answer(minted('app_access_token', mint(this.#ledger('app', ''), token), this.#now()))
  }

  #mintTenant({ app_access_token = '', tenant_key = '' }: PlatformRequest['fields'], token: FakeToken | undefined): PlatformReply {
    if (this.#ledger('app', '').worth(app_access_token) !== 'valid') return answer({ code: REFUSED.app, msg: 'invalid app_access_token' })
    return answer(minted('tenant_access_token', mint(this.#ledger('tenant', tenant_key), token), this.#now()))
  }

  #grant({ code, refresh_token = '' }: PlatformRequest['fields'], token: FakeToken | undefined): PlatformReply {
    const { value = `u-${this.#userTokens + 1}`, lifeMs = LIFE.lifeMs } = token ?? {}
    const access = { value, lifeMs }
    const granted = code === undefined ? this.#logins.refresh(refresh_token, access) : this.#logins.exchange(code, access)
    if (granted.code === 0) this.#userTokens += 1
    return answer(granted)
  }

  #giveTicket({ authorization }: FakeRequest, token: FakeToken | undefined): PlatformReply {
    const owner = this.#ownerOf(authorization)
    if (owner?.kind !== 'tenant' || owner.worth !== 'valid') return refused(owner)
    const { value: ticket, endsAt } = mint(this.#ledger('page', owner.tenantKey), token)
    return answer({ code: 0, msg: 'ok', data: { ticket, expire_in: (endsAt - this.#now()) / 1_000 } })
  }

  async #answerApi(request: FakeRequest): Promise<PlatformReply> {
    const owner = this.#ownerOf(request.authorization)
    if (owner?.worth !== 'valid') return refused(owner)
    return answer({ code: 0, msg: 'success', ...(await this.#options.api(request)) })
  }

  /** Whose token a request carries. */
  #ownerOf(authorization = ''): Owner | undefined {
    const token = authorization.replace(/^Bearer /i, '')
    for (const { kind, tenantKey, ledger } of this.#ledgers.values()) {
      const worth = kind === 'page' ? 'unknown' : ledger.worth(token)
      if (kind !== 'page' && worth !== 'unknown') return { kind, tenantKey, worth }
    }
    const worth = this.#logins.worth(token)
    return worth === 'unknown' ? undefined : { kind: 'user', tenantKey: '', worth }
  }

  #ledger(kind: Minter['kind'], tenantKey: string): TokenLedger {
    const name = tenantKey === '' ? PREFIXES[kind] : `${PREFIXES[kind]}-${encodeURIComponent(tenantKey)}`
    const known = this.#ledgers.get(name)
    if (known !== undefined) return known.ledger
    const ledger = new TokenLedger(() => this.#now(), { name, ...LIFE })
    this.#ledgers.set(name, { kind, tenantKey, ledger })
    return ledger
  }
}

function mint(ledger: TokenLedger, token: FakeToken | undefined): Minted {
  return token === undefined ? ledger.mint(false) : ledger.mintNew(token.lifeMs, token.value)
}

function refused(owner: Owner | undefined): PlatformReply {
  const hasEnded = owner?.kind === 'user' && owner.worth === 'ended'
  return answer({ code: hasEnded ? USER_TOKEN_ENDED : REFUSED[owner?.kind ?? 'nobody'], msg: 'Invalid access token for authorization' })
}

function refusal({ code, msg = 'fake refusal', status, resetSeconds }: FakeRefusal): PlatformReply {
  const reply = answer({ code, msg }, resetSeconds === undefined ? {} : { 'x-ogw-ratelimit-reset': String(resetSeconds) })
  return status === undefined ? reply : { ...reply, status }
}
