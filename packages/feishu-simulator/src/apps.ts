import { type Counters, Tally } from './counters.ts'
import type { Delivery, Subscriber } from './delivery.ts'
import { AppLedger, type TokenState } from './ledger.ts'
import type { RefreshToken } from './login.ts'
import type { CheckedOptions, SimulatedApp } from './options.ts'
import type { Claim, KnownApp } from './platform.ts'
import type { RequestRecord } from './request-log.ts'
import { UserLedger } from './user-ledger.ts'

/** A tenant or a user. */
export type Subject = { readonly tenantKey: string } | { readonly userId: string }

/** Every tenant and user that requests have named, in the order of their first. */
export interface Subjects {
  readonly tenantKeys: readonly string[]
  readonly userIds: readonly string[]
}

/** An app while the simulator runs. */
export interface RunningApp extends Subscriber, KnownApp {
  readonly disabledTenants: Set<string>
  readonly tally: Tally
  readonly tenants: Map<string, Tally>
  readonly users: UserLedger
  readonly userTallies: Map<string, Tally>
}

/** The apps of a simulator, with what is known and counted of each. */
export class Apps {
  readonly byId: ReadonlyMap<string, RunningApp>
  readonly total = new Tally()

  constructor(options: CheckedOptions, now: () => number) {
    this.byId = new Map(options.apps.map((app) => [app.appId, runningApp(app, options, now)]))
  }

  /** Throws `TypeError` for an app that is not simulated. */
  get(appId: string): RunningApp {
    const app = this.byId.get(appId)
    if (!app) throw new TypeError(`app '${appId}' is not simulated; known: ${[...this.byId.keys()].join(', ')}`)
    return app
  }

  counters(appId?: string, of?: Subject): Counters {
    if (appId === undefined) return this.total.snapshot()
    const app = this.get(appId)
    if (of === undefined) return app.tally.snapshot()
    const tally = 'tenantKey' in of ? app.tenants.get(of.tenantKey) : app.userTallies.get(of.userId)
    return (tally ?? new Tally()).snapshot()
  }

  subjects(appId: string): Subjects {
    const { tenants, userTallies } = this.get(appId)
    return { tenantKeys: [...tenants.keys()], userIds: [...userTallies.keys()] }
  }

  /** Where a request is counted beside the total: its app, its tenant, its user. */
  talliesOf({ appId, tenantKey, userId }: Claim): Tally[] {
    const app = appId === undefined ? undefined : this.byId.get(appId)
    if (app === undefined) return []
    return [
      app.tally,
      ...(tenantKey === undefined ? [] : [tallyOf(app.tenants, tenantKey)]),
      ...(userId === undefined ? [] : [tallyOf(app.userTallies, userId)]),
    ]
  }

  /** Counts a callback attempt, if it carried a ticket. */
  countTicket({ appId, type }: Delivery, count: (tally: Tally) => void): void {
    if (type !== 'app_ticket') return
    for (const tally of [this.total, this.get(appId).tally]) count(tally)
  }

  judge(token: string): TokenState {
    for (const { ledger, users } of this.byId.values()) {
      for (const state of [ledger.judge(token), users.judge(token)]) if (state !== 'unknown') return state
    }
    return 'unknown'
  }

  /** Notes that a request carried a refresh token; of whichever app it is, whatever app the request names. */
  present(refreshToken: string | undefined, request: RequestRecord): void {
    if (refreshToken !== undefined) for (const { users } of this.byId.values()) users.present(refreshToken, request)
  }

  presentedTwice(appId: string, userId?: string): RefreshToken[] {
    const logins = this.get(appId).users.logins()
    const tokens = logins.filter((login) => userId === undefined || login.userId === userId).flatMap((login) => login.refreshTokens)
    return tokens.filter(({ presentations }) => presentations.length > 1)
  }
}

function tallyOf(tallies: Map<string, Tally>, key: string): Tally {
  const tally = tallies.get(key) ?? new Tally()
  tallies.set(key, tally)
  return tally
}

function runningApp(app: SimulatedApp, options: CheckedOptions, now: () => number): RunningApp {
  const { tokenLifeMs, userTokenLifeMs: accessTokenLifeMs, refreshTokenLifeMs, codeLifeMs } = options
  const { ticketLifeMs, ticketsKept, tokenForm, refreshReuse, oldUserToken } = options.behaviour
  return {
    signed: app.encryptKey !== undefined,
    ...app,
    type: app.type ?? 'store',
    tenantKey: app.tenantKey ?? 'own',
    ledger: new AppLedger({ now, tokenLifeMs, ticketLifeMs, ticketsKept, tokenForm }),
    users: new UserLedger({ now, accessTokenLifeMs, refreshTokenLifeMs, codeLifeMs, tokenForm, refreshReuse, oldUserToken }),
    disabledTenants: new Set(),
    tally: new Tally(),
    tenants: new Map(),
    userTallies: new Map(),
  }
}
