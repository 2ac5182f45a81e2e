// Makes the stored tokens of all tenants older than they are: each is published again, as if the time until it may be renewed had passed, and
// as if the rest of its life went by faster.
import { setTimeout as passed } from 'node:timers/promises'
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { sharedNow } from '../measure/moment.ts'
import { openStore } from './places.ts'
import { aged } from './schedule.ts'
import { type Order, openTenants } from './tenants.ts'

export interface AgeOrder extends Order {
  /** How many times as fast. */
  readonly speed: number
  /** Processes that are to take the tokens over before the first is due. */
  readonly processes: number
  /** How many times as long as it should take them they have. */
  readonly patience: number
}

export interface Aged {
  /** The moment at which the first token may be due, by the clock that all processes share. */
  readonly from: number
  /** When each token is due, milliseconds of its life since then. */
  readonly due: readonly number[]
}

const STARTING_MS = 2_000
/** By what it takes to take all tokens over: two operations for each instead of a share of one. */
const AGEING = 6
const AT_ONCE = 64
/** Of `createTokenManager`. */
const NAMESPACE = 'tokenwell'
const LEASE_MS = 8_000

const { speed, processes, patience, ...order } = argument<AgeOrder>()
const tenants = openTenants(order)
const { store, close } = openStore(order.place)
await tenants.tokens.warm(tenants.names())
await tenants.tokens.appAccessToken()
/** What one process takes to start and to take over all tokens, on this machine as it is. */
const takingOverMs = performance.now()

const versions = new Map(tenants.manager.status().map(({ key, version }) => [key, version]))
const left = tenants.handles().values()
const from = sharedNow() + STARTING_MS + takingOverMs * patience * (AGEING + processes)

const due: number[] = []

async function age(): Promise<void> {
  for (const handle of left) {
    const version = versions.get(handle.key)
    if (version === undefined) throw new Error(`"${handle.key}" is not known`)
    const signal = AbortSignal.timeout(60_000)
    const key = `${NAMESPACE}/${handle.key}`
    const attempt = `age.${from}.${handle.key}`
    const request = { leaseMs: LEASE_MS, seen: 0, rejected: version }
    let claim = await store.claim(key, attempt, request, { signal })
    while (claim.kind !== 'granted') {
      // A process that was ended may have left its lease; and a token that came due meanwhile has been renewed.
      if (claim.kind === 'held') await passed(claim.snapshot.lease?.expiresInMs)
      else if (claim.kind === 'fresh') request.rejected = claim.snapshot.version
      else throw new Error(`"${handle.key}" is ${claim.kind}`)
      claim = await store.claim(key, attempt, request, { signal })
    }
    const { value } = claim.snapshot
    if (value === undefined) throw new Error(`"${handle.key}" has no token`)
    // As it is stored: a process that takes a token over puts its renewal off by up to five seconds, which are many if time passes faster.
    const { dueAt, endsAt } = aged(claim.snapshot, from, speed)
    const now = sharedNow()
    const older = { value, renewInMs: dueAt - now, expiresInMs: endsAt - now }
    const { kind } = await store.publish(key, attempt, claim.fence, older, { signal })
    if (kind !== 'accepted') throw new Error(`a publication of "${handle.key}" was ${kind}`)
    due.push((dueAt - from) * speed)
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, age))
answer({ from, due } satisfies Aged)
await store.close()
await close()
await tenants.close()
