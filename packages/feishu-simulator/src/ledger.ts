import { randomBytes } from 'node:crypto'
import { type TokenForm, tokenValue } from './token-value.ts'

/** With this much life left or more, a mint gives the same token back; below it, a new one, and both are valid until their end. */
export const SAME_TOKEN_LEFT_MS = 30 * 60_000

/** `'expired'` and `'revoked'` tokens are refused like unknown ones; the difference is for tests. */
export type TokenState = 'valid' | 'expired' | 'revoked' | 'unknown'

/** What a mint after a revocation gives: a new token, or, by the 30-minute rule, the revoked one that no API takes any more. */
export type AfterRevocation = 'new' | 'same'

/** What a token is minted for: the app itself, a tenant, or the JS SDK in the pages of a tenant. */
export interface Credential {
  readonly kind: 'app' | 'tenant' | 'jsapi'
  /** Absent for the app itself. */
  readonly tenantKey?: string
}

export const APP_CREDENTIAL: Credential = { kind: 'app' }

/** Whose newest token is killed, and what comes after it. */
export interface RevokeOptions {
  /**
   * `'new'`: the next mint makes a new token. `'same'`: mints give the dead one back while it has 30 minutes left; a second revocation can
   * turn that into `'new'`.
   */
  readonly next: AfterRevocation
  /** Absent: the app's own. */
  readonly tenantKey?: string
  /** The tenant's ticket for the JS SDK in the place of its token; needs `tenantKey`. Default `false`. */
  readonly jsapi?: boolean
}

/** Throws `TypeError` for a ticket of the JS SDK without a tenant. */
export function credentialOf({ tenantKey, jsapi = false }: RevokeOptions): Credential {
  if (tenantKey !== undefined) return { kind: jsapi ? 'jsapi' : 'tenant', tenantKey }
  if (jsapi) throw new TypeError('tenantKey: a ticket of the JS SDK is that of a tenant; name it')
  return APP_CREDENTIAL
}

const PREFIXES = { app: 'a-', tenant: 't-', jsapi: '' } as const

/** One token ever minted. Times are milliseconds since the Unix epoch on the simulator's clock. */
export interface LedgerToken extends Credential {
  readonly value: string
  readonly mintedAtMs: number
  readonly expiresAtMs: number
  readonly revocation?: { readonly atMs: number; readonly next: AfterRevocation }
}

/** The outcome of a mint. */
export interface Mint {
  readonly token: LedgerToken
  readonly atMs: number
  /** Remaining life in whole seconds, rounded down, as `expire` says it. */
  readonly expire: number
  readonly isNew: boolean
}

export interface LedgerOptions {
  /** Milliseconds since the Unix epoch; never goes back. */
  readonly now: () => number
  readonly tokenLifeMs: number
  readonly ticketLifeMs: number
  readonly ticketsKept: number
  readonly tokenForm: TokenForm
}

interface LedgerTicket {
  readonly value: string
  readonly issuedAtMs: number
}

/**
 * Every token and ticket of one app but those of its users, and the only place that knows how long they live.
 *
 * Per credential the history is in the order of the mints; only its last entry is ever given out again.
 */
export class AppLedger {
  readonly options: LedgerOptions
  readonly #histories = new Map<string, LedgerToken[]>()
  readonly #tokens = new Map<string, LedgerToken>()
  #tickets: LedgerTicket[] = []

  constructor(options: LedgerOptions) {
    this.options = options
  }

  /** The token of a credential: the last one while it has 30 minutes left, else a new one. */
  mint(credential: Credential): Mint {
    const nowMs = this.options.now()
    const history = this.#history(credential)
    const last = history.at(-1)
    if (last && last.expiresAtMs - nowMs >= SAME_TOKEN_LEFT_MS && last.revocation?.next !== 'new') {
      return { token: last, atMs: nowMs, expire: remainingSeconds(last, nowMs), isNew: false }
    }
    const token: LedgerToken = {
      ...credential,
      value: tokenValue(PREFIXES[credential.kind], credential.kind === 'jsapi' ? 'short' : this.options.tokenForm),
      mintedAtMs: nowMs,
      expiresAtMs: nowMs + this.options.tokenLifeMs,
    }
    history.push(token)
    this.#tokens.set(token.value, token)
    return { token, atMs: nowMs, expire: remainingSeconds(token, nowMs), isNew: true }
  }

  /** The entry of a token, whatever became of it. */
  find(value: string): LedgerToken | undefined {
    return this.#tokens.get(value)
  }

  judge(value: string): TokenState {
    const token = this.find(value)
    if (!token) return 'unknown'
    if (token.revocation) return 'revoked'
    return token.expiresAtMs > this.options.now() ? 'valid' : 'expired'
  }

  /** Kills the newest token of a credential and returns it; `undefined` when there is none, or it has ended, or a new one is due already. */
  revoke(next: AfterRevocation, credential: Credential): string | undefined {
    const history = this.#history(credential)
    const last = history.at(-1)
    const atMs = this.options.now()
    if (!last || last.revocation?.next === 'new' || last.expiresAtMs <= atMs) return undefined
    const revoked = { ...last, revocation: { atMs, next } }
    history[history.length - 1] = revoked
    this.#tokens.set(revoked.value, revoked)
    return last.value
  }

  /** All tokens ever minted for a credential, oldest first. */
  history(credential: Credential): readonly LedgerToken[] {
    return this.#history(credential)
  }

  issueTicket(): string {
    const value = randomBytes(24).toString('base64url')
    this.#tickets.push({ value, issuedAtMs: this.options.now() })
    if (this.#tickets.length > this.options.ticketsKept) this.#tickets = this.#tickets.slice(-this.options.ticketsKept)
    return value
  }

  acceptsTicket(value: string): boolean {
    return this.#validTickets().some((ticket) => ticket.value === value)
  }

  newestTicket(): string | undefined {
    return this.#validTickets().at(-1)?.value
  }

  /** Makes one ticket, or every ticket issued so far, invalid. */
  invalidateTicket(value?: string): void {
    this.#tickets = value === undefined ? [] : this.#tickets.filter((ticket) => ticket.value !== value)
  }

  #validTickets(): LedgerTicket[] {
    const oldestMs = this.options.now() - this.options.ticketLifeMs
    return this.#tickets.filter((ticket) => ticket.issuedAtMs > oldestMs)
  }

  #history({ kind, tenantKey }: Credential): LedgerToken[] {
    const key = JSON.stringify([kind, tenantKey])
    const known = this.#histories.get(key)
    if (known) return known
    const history: LedgerToken[] = []
    this.#histories.set(key, history)
    return history
  }
}

/** Whole seconds until a token ends, rounded down. */
export function remainingSeconds(token: LedgerToken, nowMs: number): number {
  return Math.floor((token.expiresAtMs - nowMs) / 1000)
}
