import { randomBytes } from 'node:crypto'
import { type Delivery, type Fault, type FaultTarget, type FeishuSimulator, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { type AppSetting, type CredentialName, digest } from '@tokenwell/fleet'
import { type Draws, drawsOf } from '../../packages/testkit/src/simulation/random.ts'
import type { Request } from './account.ts'
import type { Crew } from './crew.ts'
import type { Pause } from './pause.ts'
import type { Planned } from './plan.ts'

/** How long a token lives, milliseconds: little more than the least that core shares. Half of it, and it is due. */
export const TOKEN_LIFE_MS = 36_000

/** How many tickets are good at once: an old one that is pushed again may be none of them. */
const TICKETS_KEPT = 5

const MINTS: readonly FaultTarget[] = ['*', '*', 'app_access_token', 'tenant_access_token', 'oauth_token']

/** What strikes requests for a while. */
const FAULTS: Readonly<Record<string, Fault>> = {
  outage: { kind: 'status', status: 503 },
  hang: { kind: 'hang' },
  throttle: { kind: 'rate-limit', resetSeconds: 2 },
  slow: { kind: 'delay', ms: 1_500, at: 'reply' },
  html: { kind: 'html' },
  empty: { kind: 'empty' },
  truncated: { kind: 'truncated' },
  'wrong types': { kind: 'wrong-types' },
  'token missing': { kind: 'missing-token' },
  'life too short': { kind: 'expire', value: 20 },
  'request lost': { kind: 'reset' },
  'reply lost': { kind: 'reset', at: 'reply' },
}

/** The platform that a fleet is minted by, and what goes wrong with it. */
export class Upstream {
  readonly platform: FeishuSimulator
  readonly app: AppSetting
  readonly requests: Request[] = []
  authorizedAgain = 0
  readonly #credentials: readonly CredentialName[]
  readonly #draws: Draws
  readonly #deliveries: Delivery[] = []

  constructor(platform: FeishuSimulator, app: AppSetting, credentials: readonly CredentialName[], draws: Draws) {
    this.platform = platform
    this.app = app
    this.#credentials = credentials
    this.#draws = draws
    platform.on('request', (record) => {
      const { machineMs, endpoint, fields } = record
      const { refresh_token: secret, tenant_key: tenant } = fields
      const key = keyOf(platform.url, app.appId, endpoint, { secret, tenant, user: record.userId })
      if (key === undefined) return
      // The record fills up while the request is under way.
      const isRefused = () => record.end === 'replied' && record.code !== undefined && record.code !== 0
      this.requests.push({ at: machineMs, key, isRefused, ...(typeof secret === 'string' && { digest: digest(secret) }) })
    })
  }

  /** The names of the credentials' records, as the fleet calls them. */
  get keys(): string[] {
    const { url } = this.platform
    return this.#credentials.map(({ kind, id }) => `${scopeOf(url, this.app.appId)}/${kind}-access-token${kind === 'app' ? '' : `/${id}`}`)
  }

  async strike({ kind, forMs, draw }: Planned, pause: Pause): Promise<void> {
    const { platform, app } = this
    const fault = FAULTS[kind]
    if (fault === undefined) {
      const revoked = kind.split(' ')[0]
      const some = this.#credentials.filter((each) => each.kind === revoked)
      const { id = '' } = some[Math.floor(draw * some.length)] ?? {}
      if (revoked === 'user') platform.revokeUser(app.appId, id, 'access-token')
      else platform.revoke(app.appId, { next: 'new', ...(revoked === 'tenant' && { tenantKey: id }) })
      return
    }
    const target = MINTS[Math.floor(draw * MINTS.length)] ?? '*'
    const handle = platform.fault(target, fault, { times: Number.POSITIVE_INFINITY })
    await pause(forMs).finally(() => handle.release())
  }

  /** Events reach whoever is behind the load balancer at that moment, or nobody. */
  async ticketEvent({ kind, draw }: Planned, crew: Crew): Promise<void> {
    const { platform, app } = this
    this.aimAt(crew, draw)
    if (kind === 'tickets dead') return platform.invalidateTicket(app.appId)
    const old = this.#deliveries[Math.floor(draw * this.#deliveries.length)]
    if (kind === 'redelivery' && old !== undefined) await platform.redeliver(old)
    else this.#deliveries.push((await platform.pushTicket(app.appId)).delivery)
  }

  /** Where the next event goes. */
  aimAt(crew: Crew, draw: number): void {
    const { awake } = crew
    const node = awake[Math.floor(draw * awake.length)]
    if (node !== undefined) this.platform.setEventUrl(this.app.appId, node.eventUrl)
  }

  /** Users whose login is lost are sent to the authorisation page again, and come back to some process. */
  async authorize(crew: Crew): Promise<void> {
    const { platform, app } = this
    const lost = this.#credentials.filter(({ kind, id }) => kind === 'user' && !platform.login(app.appId, id)?.isAlive)
    await Promise.all(lost.map(({ id }) => this.authorizeOne(id, crew)))
  }

  async authorizeOne(user: string, crew: Crew): Promise<void> {
    const { awake } = crew
    const node = awake[Math.floor(this.#draws.fraction() * awake.length)]
    this.authorizedAgain += 1
    // Where it fails, the user tries again.
    await node?.order('authorize', { user, code: this.platform.issueCode(this.app.appId, user) }).catch(() => {})
  }
}

/** @param seed decides to which process a user comes back */
export async function openUpstream(credentials: readonly CredentialName[], seed: number): Promise<Upstream> {
  const secret = () => randomBytes(16).toString('hex')
  const app = { appId: 'cli_chaos', appSecret: secret(), verificationToken: secret(), encryptKey: secret() }
  const platform = await startFeishuSimulator({
    apps: [app],
    pushTickets: 'manual',
    tokenLifeMs: TOKEN_LIFE_MS,
    userTokenLifeMs: TOKEN_LIFE_MS,
    behaviour: { ticketsKept: TICKETS_KEPT },
  })
  return new Upstream(platform, app, credentials, drawsOf(seed, 'authorize'))
}

function scopeOf(url: string, appId: string): string {
  return `feishu/${encodeURIComponent(url)}/${appId}`
}

/** Of which record a request is; of none where a code is exchanged, or an API called. */
function keyOf(
  url: string,
  appId: string,
  endpoint: string,
  { secret, tenant, user }: { readonly secret: unknown; readonly tenant: unknown; readonly user: string | undefined },
): string | undefined {
  const scope = scopeOf(url, appId)
  if (endpoint === 'app_access_token') return `${scope}/app-access-token`
  if (endpoint === 'tenant_access_token') return `${scope}/tenant-access-token/${String(tenant)}`
  return endpoint === 'oauth_token' && secret !== undefined ? `${scope}/user-access-token/${user ?? 'unknown'}` : undefined
}
