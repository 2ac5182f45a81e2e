import type { Draws } from '../simulation/random.ts'
import type { Surroundings } from '../simulation/scenario.ts'
import { type Minted, TokenLedger } from '../simulation/token-ledger.ts'
import { UpstreamFaults } from '../simulation/upstream-faults.ts'
import { LoginAudit, type Spending } from './login-audit.ts'
import { LoginLedger } from './login-ledger.ts'
import { answer, LIFE, minted, PATHS } from './platform-answers.ts'
import type { PlatformReply, PlatformRequest } from './simulated-dispatcher.ts'
import { type Receiver, TICKET_FAULTS, type TicketFault, TicketPushes } from './ticket-pushes.ts'

const REQUEST_FAULTS = ['outage', 'hang', 'garbage', 'throttle', 'slow', 'short-life'] as const
export const PLATFORM_FAULTS = [...REQUEST_FAULTS, 'revoke', 'revoke-same', 'revoke-tenants', ...TICKET_FAULTS] as const
export type PlatformFault = (typeof PLATFORM_FAULTS)[number]

/** The answer to a request for a tenant's token with an app token that is not taken. */
export const APP_TOKEN_INVALID = 99_991_664

/** What a request asks for. */
export type Asked =
  | { readonly kind: 'app' | 'resend' }
  | { readonly kind: 'tenant'; readonly tenantKey: string }
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'refresh'; readonly refreshToken: string }

/** The token endpoints of Feishu and Lark, for one store app, and whatever befalls them. */
export class SimulatedPlatform {
  readonly app: TokenLedger
  readonly logins: LoginLedger
  readonly loginAudit: LoginAudit
  readonly #tenants = new Map<string, TokenLedger>()
  readonly #tickets: TicketPushes
  readonly #faults: UpstreamFaults<Exclude<PlatformFault, TicketFault>>
  readonly #surroundings: Surroundings
  #asked = 0

  constructor(
    surroundings: Surroundings,
    app: { readonly appId: string; readonly verificationToken: string },
    receivers: () => readonly Receiver[],
  ) {
    this.#surroundings = surroundings
    this.#faults = new UpstreamFaults(surroundings)
    this.app = new TokenLedger(surroundings.now, { name: 'app token', ...LIFE })
    this.logins = new LoginLedger(surroundings.now)
    this.loginAudit = new LoginAudit(surroundings, this.logins)
    this.#tickets = new TicketPushes(surroundings, app, receivers)
  }

  tenant(tenantKey: string): TokenLedger {
    const known = this.#tenants.get(tenantKey)
    if (known !== undefined) return known
    const ledger = new TokenLedger(this.#surroundings.now, { name: `token of ${tenantKey}`, ...LIFE })
    this.#tenants.set(tenantKey, ledger)
    return ledger
  }

  /** Whether the fleet was given a ticket that is taken, and its store has not lost data since. */
  get hasTicket(): boolean {
    return this.#tickets.isGiven
  }

  /** A fault begins; the function ends it. */
  trouble(fault: PlatformFault): () => void {
    if (isTicketFault(fault)) {
      this.#tickets.trouble(fault)
      return () => {}
    }
    if (this.#strikesAtOnce(fault)) this.#faults.struck(fault)
    const end = this.#faults.begin(fault)
    return () => {
      end()
      if (fault === 'revoke-same' && !this.#faults.isOn(fault)) this.app.forgive()
    }
  }

  /** @param spending what the audit of logins has made of a request with a refresh token */
  async serve(request: PlatformRequest, spending?: Spending): Promise<PlatformReply> {
    const { now, at, draws } = this.#surroundings
    const chance = draws(`platform ${this.#asked++}`)
    const strikes = this.#faults.strike(REQUEST_FAULTS, chance)
    switch (strikes) {
      case 'outage':
        return { status: 502, headers: {}, body: 'bad gateway' }
      case 'hang':
        return new Promise(() => {})
      case 'garbage':
        return { status: 200, headers: {}, body: chance.pick(['<html>', '{"code":0}', '{"code":"0"', '']) }
      case 'throttle':
        return answer({ code: 99991400, msg: 'slow down' }, { 'x-ogw-ratelimit-reset': `${chance.whole(1, 60)}` })
      case 'slow':
        await new Promise<void>((resolve) => at(now() + chance.between(500, 9_000), resolve))
    }
    return answer(this.#refusal(request) ?? this.#answer(askedBy(request), strikes === 'short-life' ? chance : undefined, spending))
  }

  #answer(asked: Asked, brief: Draws | undefined, spending: Spending | undefined): Readonly<Record<string, unknown>> {
    switch (asked.kind) {
      case 'resend': {
        const { now, at, draws } = this.#surroundings
        at(now() + draws(`resend ${this.#asked}`).between(100, 2_000), () => this.#tickets.push())
        return { code: 0, msg: 'ok' }
      }
      case 'app':
        return minted('app_access_token', this.#mint(this.app, brief), this.#surroundings.now())
      case 'tenant':
        return minted('tenant_access_token', this.#mint(this.tenant(asked.tenantKey), brief), this.#surroundings.now())
      case 'code':
        return this.logins.exchange(asked.code)
      case 'refresh': {
        const granted = this.logins.refresh(asked.refreshToken)
        if (spending !== undefined) this.loginAudit.arrived(asked.refreshToken, spending, granted)
        return granted
      }
    }
  }

  /** What a request is refused for, before anything else is looked at. */
  #refusal({ path, fields }: PlatformRequest): Readonly<Record<string, unknown>> | undefined {
    const { app_ticket = '', app_access_token = '' } = fields
    if (path === PATHS.app && !this.#tickets.isTaken(app_ticket)) return { code: 10012, msg: 'the ticket is invalid' }
    if (path === PATHS.tenant && this.app.worth(app_access_token) !== 'valid')
      return { code: APP_TOKEN_INVALID, msg: 'the app token is invalid' }
    return undefined
  }

  #mint(ledger: TokenLedger, brief: Draws | undefined): Minted {
    if (brief !== undefined) return ledger.mintNew(brief.whole(1, 40) * 1_000)
    return ledger.mint(ledger === this.app && this.#faults.isOn('revoke-same'))
  }

  #strikesAtOnce(fault: Exclude<PlatformFault, TicketFault>): boolean {
    switch (fault) {
      case 'revoke':
      case 'revoke-same':
        return this.app.revoke()
      case 'revoke-tenants':
        return [...this.#tenants.values()].filter((ledger) => ledger.revoke()).length > 0
      default:
        return false
    }
  }
}

function isTicketFault(fault: PlatformFault): fault is TicketFault {
  return TICKET_FAULTS.some((each) => each === fault)
}

/** What a request of core is for. */
export function askedBy({ path, fields }: PlatformRequest): Asked {
  const { tenant_key = '', code, refresh_token = '' } = fields
  switch (path) {
    case PATHS.app:
      return { kind: 'app' }
    case PATHS.tenant:
      return { kind: 'tenant', tenantKey: tenant_key }
    case PATHS.resend:
      return { kind: 'resend' }
    case PATHS.user:
      return code === undefined ? { kind: 'refresh', refreshToken: refresh_token } : { kind: 'code', code }
    default:
      throw new Error(`the platform has no ${path}`)
  }
}
