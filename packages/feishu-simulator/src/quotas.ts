import { ENDPOINTS, type Endpoint } from './endpoints.ts'

/** How often an endpoint may be asked. */
export interface Quota {
  /** Requests that are carried out in one window; 0 or more, `Infinity` for no end. */
  readonly limit: number
  /** Milliseconds of the simulator's clock; a window begins with its first request. */
  readonly windowMs: number
  /** Whether an app has one quota, or each of its tenants and users has their own. Default `'app'`. */
  readonly per?: 'app' | 'subject'
}

export type QuotaOptions = Readonly<Partial<Record<Endpoint, Quota>>>

/** The platform calls the quota of these tickets very small and gives no number. */
export const DEFAULT_QUOTAS: QuotaOptions = { jsapi_ticket: { limit: 10, windowMs: 60_000, per: 'subject' } }

/** Throws `TypeError` naming what is wrong. */
export function checkQuotas(quotas: QuotaOptions): void {
  for (const [endpoint, { limit, windowMs, per }] of Object.entries(quotas)) {
    const path = `quotas.${endpoint}`
    if (!(ENDPOINTS as readonly string[]).includes(endpoint)) throw new TypeError(`${path}: expected one of ${ENDPOINTS.join(', ')}`)
    if (typeof limit !== 'number' || !(limit >= 0))
      throw new TypeError(`${path}.limit: expected a number of at least 0, got ${String(limit)}`)
    if (typeof windowMs !== 'number' || !(windowMs > 0)) {
      throw new TypeError(`${path}.windowMs: expected a number above 0, got ${String(windowMs)}`)
    }
    if (per !== undefined && per !== 'app' && per !== 'subject') {
      throw new TypeError(`${path}.per: expected 'app' or 'subject', got '${String(per)}'`)
    }
  }
}

/** Who asks for what. */
export interface Asker {
  readonly endpoint: Endpoint
  readonly appId?: string
  readonly tenantKey?: string
  readonly userId?: string
}

/** Counts requests in windows. */
export class Quotas {
  readonly #quotas: QuotaOptions
  readonly #windows = new Map<string, { readonly endsAtMs: number; taken: number }>()

  constructor(quotas: QuotaOptions) {
    this.#quotas = quotas
  }

  /** Takes one request; when there is none left, whole seconds until there is, at least 1. */
  take({ endpoint, appId, tenantKey, userId }: Asker, nowMs: number): number | undefined {
    const quota = this.#quotas[endpoint]
    if (quota === undefined) return undefined
    const key = JSON.stringify([endpoint, appId, ...(quota.per === 'subject' ? [tenantKey, userId] : [])])
    const open = this.#windows.get(key)
    const window = open && open.endsAtMs > nowMs ? open : { endsAtMs: nowMs + quota.windowMs, taken: 0 }
    this.#windows.set(key, window)
    if (window.taken >= quota.limit) return Math.ceil((window.endsAtMs - nowMs) / 1000)
    window.taken += 1
    return undefined
  }
}
