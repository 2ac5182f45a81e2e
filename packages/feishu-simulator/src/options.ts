import { type Behaviour, DEFAULT_BEHAVIOUR } from './behaviour.ts'
import { realClock, type SimulatorClock } from './clock.ts'
import { checkQuotas, DEFAULT_QUOTAS, type QuotaOptions } from './quotas.ts'

/** One app, as the developer console shows it. */
export interface SimulatedApp {
  /** Which endpoints mint its tokens: those for store apps, which want a ticket, or those for custom apps. Default `'store'`. */
  readonly type?: 'store' | 'custom'
  /** The one tenant of a custom app, not empty. Default `'own'`. */
  readonly tenantKey?: string
  readonly appId: string
  readonly appSecret: string
  /** Put into every event. */
  readonly verificationToken: string
  /** Events are encrypted with it. Absent: they are plain. */
  readonly encryptKey?: string
  /** Whether events are signed; needs an `encryptKey`, which the signature is made with. Default: whether there is one. */
  readonly signed?: boolean
  /** Where events are pushed to; can be set later with `setEventUrl`. */
  readonly eventUrl?: string
}

export interface FeishuSimulatorOptions {
  readonly apps: readonly SimulatedApp[]
  /** Where the simulator's time comes from. Default: the machine's. */
  readonly clock?: SimulatorClock
  /** How many times as fast as the machine's time the simulator's runs, above 0; only without `clock`. Default 1. */
  readonly speed?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Milliseconds a token lives, at least 1,000. With 30 minutes or less every mint makes a new one. Default 2 h. */
  readonly tokenLifeMs?: number
  /** Milliseconds a user's access token lives, at least 1,000. Default 2 h. */
  readonly userTokenLifeMs?: number
  /** Milliseconds a refresh token can be used after it was issued, at least 1,000. Default 7 days. */
  readonly refreshTokenLifeMs?: number
  /** Milliseconds a code can be exchanged, at least 1. Default 5 min. */
  readonly codeLifeMs?: number
  /** `'manual'`: tickets are pushed by a resend or `pushTicket` alone. Default `'scheduled'`. */
  readonly pushTickets?: 'scheduled' | 'manual'
  /** Milliseconds between scheduled tickets; the first comes after one such time. Default 1 h. */
  readonly ticketEveryMs?: number
  /** Answers where the platform's documentation leaves room. */
  readonly behaviour?: Partial<Behaviour>
  /** How often each endpoint may be asked. Default: without end, but for `jsapi_ticket`: 10 a minute for each tenant. */
  readonly quotas?: QuotaOptions
}

/** Options with every default filled in. */
export interface CheckedOptions {
  readonly apps: readonly SimulatedApp[]
  readonly clock: SimulatorClock
  readonly speed: number
  readonly host: string
  readonly port: number
  readonly tokenLifeMs: number
  readonly userTokenLifeMs: number
  readonly refreshTokenLifeMs: number
  readonly codeLifeMs: number
  readonly pushTickets: 'scheduled' | 'manual'
  readonly ticketEveryMs: number
  readonly behaviour: Behaviour
  readonly quotas: QuotaOptions
}

const HOUR_MS = 60 * 60_000

/** Fills the defaults in. Throws `TypeError` naming the option that is wrong, what it got and what it takes. */
export function checkOptions(options: FeishuSimulatorOptions): CheckedOptions {
  const { apps, clock, host = '127.0.0.1', port = 0, pushTickets = 'scheduled' } = options
  if (clock !== undefined && options.speed !== undefined)
    throw new TypeError('speed: a clock of your own sets its own speed; give one of the two')
  if (pushTickets !== 'scheduled' && pushTickets !== 'manual') {
    throw new TypeError(`pushTickets: expected 'scheduled' or 'manual', got '${String(pushTickets)}'`)
  }
  for (const [index, app] of apps.entries()) checkApp(app, `apps[${index}]`)
  const ids = apps.map((app) => app.appId)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new TypeError(`apps: '${twice}' is given twice`)
  const speed = number('speed', options.speed ?? 1, Number.MIN_VALUE)
  const behaviour = { ...DEFAULT_BEHAVIOUR, ...options.behaviour }
  const quotas = { ...DEFAULT_QUOTAS, ...options.quotas }
  checkQuotas(quotas)
  number('behaviour.ticketLifeMs', behaviour.ticketLifeMs, 1)
  number('behaviour.ticketsKept', behaviour.ticketsKept, 1)
  number('behaviour.resendDelayMs', behaviour.resendDelayMs, 0)
  return {
    apps,
    clock: clock ?? realClock(speed),
    speed,
    host,
    port,
    tokenLifeMs: number('tokenLifeMs', options.tokenLifeMs ?? 2 * HOUR_MS, 1000),
    userTokenLifeMs: number('userTokenLifeMs', options.userTokenLifeMs ?? 2 * HOUR_MS, 1000),
    refreshTokenLifeMs: number('refreshTokenLifeMs', options.refreshTokenLifeMs ?? 7 * 24 * HOUR_MS, 1000),
    codeLifeMs: number('codeLifeMs', options.codeLifeMs ?? 5 * 60_000, 1),
    pushTickets,
    ticketEveryMs: number('ticketEveryMs', options.ticketEveryMs ?? HOUR_MS, 1),
    behaviour,
    quotas,
  }
}

function checkApp(app: SimulatedApp, path: string): void {
  for (const name of ['appId', 'appSecret', 'verificationToken'] as const) {
    if (typeof app[name] !== 'string' || app[name] === '') throw new TypeError(`${path}.${name}: expected a non-empty string`)
  }
  if (app.type !== undefined && app.type !== 'store' && app.type !== 'custom') {
    throw new TypeError(`${path}.type: expected 'store' or 'custom', got '${String(app.type)}'`)
  }
  if (app.tenantKey !== undefined && (app.type !== 'custom' || app.tenantKey === '')) {
    throw new TypeError(`${path}.tenantKey: a custom app has one tenant, with a non-empty key; a store app has any number`)
  }
  if (app.encryptKey === '') throw new TypeError(`${path}.encryptKey: expected a non-empty string, or leave it out for plain events`)
  if (app.signed && app.encryptKey === undefined)
    throw new TypeError(`${path}.signed: a signature is made with encryptKey, which is absent`)
  if (app.eventUrl !== undefined) checkEventUrl(app.eventUrl, `${path}.eventUrl`)
}

/** Throws `TypeError` unless `url` is an absolute http or https URL. */
export function checkEventUrl(url: string, path: string): void {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new TypeError(`${path}: expected an http or https URL, got '${url}'`)
}

function number(path: string, value: number, least: number): number {
  if (typeof value !== 'number' || !(value >= least))
    throw new TypeError(`${path}: expected a number of at least ${least}, got ${String(value)}`)
  return value
}
