import { type Answer, type CredentialKind, ENDPOINTS, type Endpoint } from './endpoints.ts'
import type { RequestRecord } from './request-log.ts'

/** What a simulator has seen of one app, of one of its tenants or users, or of all. */
export interface Counters {
  readonly requests: Readonly<Record<Endpoint, number>>
  /** Requests received and not yet answered. An answer takes no time: set a `delay` or `hang` fault to see requests overlap. */
  readonly inFlight: Readonly<Record<Endpoint, number>>
  readonly maxInFlight: Readonly<Record<Endpoint, number>>
  /** New tokens made; a login or refresh of a user counts once. */
  readonly newTokens: Readonly<Record<CredentialKind, number>>
  /** Tokens given back again. */
  readonly sameTokens: Readonly<Record<CredentialKind, number>>
  /** Replies other than success, by the body's `code`, or as `http-<status>` where the body has none. */
  readonly errors: Readonly<Record<string, number>>
  /** Resends asked for with the right secret. */
  readonly resends: number
  /** Callback attempts that carried a ticket: all, those answered with 200 in time, and the others. */
  readonly tickets: { readonly pushed: number; readonly acknowledged: number; readonly refused: number }
}

type Mutable<T> = T extends number ? T : { -readonly [Key in keyof T]: Mutable<T[Key]> }

/** Counts, for whatever a {@link Counters} is of. A request that names no known app is in the total alone. */
export class Tally {
  readonly #counters: Mutable<Counters> = {
    requests: zeros(),
    inFlight: zeros(),
    maxInFlight: zeros(),
    newTokens: { app: 0, tenant: 0, user: 0, jsapi: 0 },
    sameTokens: { app: 0, tenant: 0, user: 0, jsapi: 0 },
    errors: {},
    resends: 0,
    tickets: { pushed: 0, acknowledged: 0, refused: 0 },
  }

  requestStarted(endpoint: Endpoint): void {
    const { requests, inFlight, maxInFlight } = this.#counters
    requests[endpoint] += 1
    inFlight[endpoint] += 1
    maxInFlight[endpoint] = Math.max(maxInFlight[endpoint], inFlight[endpoint])
  }

  requestEnded({ endpoint, end, status, code }: RequestRecord): void {
    this.#counters.inFlight[endpoint] -= 1
    if (end !== 'replied' || code === 0) return
    const key = code === undefined ? `http-${status}` : String(code)
    this.#counters.errors[key] = (this.#counters.errors[key] ?? 0) + 1
  }

  answered({ minted = [], resendFor }: Answer): void {
    if (resendFor !== undefined) this.#counters.resends += 1
    for (const { of, isNew } of minted) this.#counters[isNew ? 'newTokens' : 'sameTokens'][of] += 1
  }

  ticketPushed(): void {
    this.#counters.tickets.pushed += 1
  }

  ticketAnswered(acknowledged: boolean): void {
    this.#counters.tickets[acknowledged ? 'acknowledged' : 'refused'] += 1
  }

  /** A copy that later requests do not change. */
  snapshot(): Counters {
    return structuredClone(this.#counters)
  }
}

function zeros(): Record<Endpoint, number> {
  const counts: Partial<Record<Endpoint, number>> = {}
  for (const endpoint of ENDPOINTS) counts[endpoint] = 0
  return counts as Record<Endpoint, number>
}
