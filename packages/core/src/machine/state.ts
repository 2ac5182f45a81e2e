import type { TokenError } from '../errors.ts'
import type { Version } from '../store.ts'
import type { Policy } from './policy.ts'
import { NO_TROUBLE, type Trouble } from './trouble.ts'

/** A token this process knows. All moments are milliseconds of the node's monotonic clock. */
export interface Held {
  readonly value: string
  readonly version: Version
  /** The version it had while only this process knew it: its callers may still report that one. */
  readonly formerly?: Version
  /** From here on it should be renewed. */
  readonly renewAt: number
  /** From here on it must not be served. Once known it only ever moves earlier: any estimate that is too late is the fault of a clock. */
  readonly expiresAt: number
  /** Until here its rejection changes nothing: it has come in place of what was rejected. */
  readonly quietUntil?: number
  /** The store has it. A token fetched while the store was down has not been published yet. */
  readonly published: boolean
  /** The store did not take it, for something derived from the same secret or replacing it. It is served to its end, and renews nothing. */
  readonly superseded?: true
  /** False while this node's clocks disagree about how much time has passed; one read of the store settles it. */
  readonly trusted: boolean
}

/** The right to fetch, as the store granted it. */
export interface Grant {
  readonly fence: Version
  /** No request may be out after this moment. */
  readonly deadline: number
  /** When the lease ends, if it is not released. */
  readonly leaseEndsAt: number
}

/** What is to be fetched, and what is used up by it where a fetch uses something up. */
export interface Errand {
  readonly attempt: number
  readonly grant?: Grant
  /** Values of versions that are rejected. */
  readonly rejectedValues: readonly string[]
  /** The newest value known, whatever it is still good for. */
  readonly previous: { readonly value: string; readonly version: Version } | undefined
}

/**
 * What is going on for a key. At most one of these at a time; callers are served from `State.token` in every one of them.
 *
 * - `idle`: nothing. Leaves when a caller needs more than memory has, or when an asked-for token falls due.
 *   `lapsed`: the token fell due while nobody asked for it; the next caller starts the renewal.
 * - `claiming`: a claim is under way. Leaves with its answer. `spent`: the highest version that it asks not to be answered with; `seen`: the
 *   highest that it knows of. `unheard`: the answer may be of before a hint that has come, or before hints were on.
 * - `fetching`: this process asks the upstream, with a `grant`, or without one because the store is down. Leaves with the outcome, which
 *   the runner forces by the deadline.
 * - `rereading`: this process holds the lease of a credential that is used up by its fetch, and looks at the record once more, at `at`: the
 *   last holder vanished and may yet publish, or the upstream says that what was used was used up before (`refusal`). Leaves with an answer
 *   to a read that was sent no earlier.
 * - `publishing`: callers have the new token already; the store does not. `retryAt` is set while the outcome is unknown and the same
 *   publication waits to be sent again. Leaves when the store has answered, or when the token is no longer worth publishing.
 * - `subscribing`: another holds the lease, and hints must be switched on before it makes sense to wait. Leaves with the acknowledgement,
 *   to claim once more: the publication may have come in between.
 * - `following`: another holds the lease. Leaves on any hint, when the lease ends, or when a re-read shows something newer.
 * - `cooling`: a failure, shared or local, says to wait until `retryAt`.
 * - `blocked`: the fetch needs something that is not there (an app ticket). No lease is held. Leaves when it is there.
 * - `detached`: the store does not answer. Leaves when a probe is due.
 * - `closed`: nothing ever again.
 */
export type Activity =
  | { readonly kind: 'idle'; readonly lapsed: boolean }
  | { readonly kind: 'claiming'; readonly attempt: number; readonly spent: Version; readonly seen: Version; readonly unheard: boolean }
  | ({ readonly kind: 'fetching' } & Errand)
  | ({ readonly kind: 'rereading'; readonly grant: Grant; readonly at: number; readonly refusal?: TokenError } & Errand)
  | {
      readonly kind: 'publishing'
      readonly attempt: number
      readonly fence: Version
      /** For how long its rejection is to change nothing, milliseconds; 0 for not at all. */
      readonly quietMs: number
      /** The version whose secret was used up for this one. */
      readonly basedOn: Version | undefined
      readonly tries: number
      readonly retryAt?: number
    }
  | { readonly kind: 'subscribing' }
  | { readonly kind: 'following'; readonly leaseEndsAt: number; readonly rereadAt: number; readonly rereads: number }
  | { readonly kind: 'cooling'; readonly retryAt: number; readonly failure: TokenError }
  | { readonly kind: 'blocked'; readonly giveUpAt: number; readonly failure: TokenError }
  | { readonly kind: 'detached'; readonly probeAt: number }
  | { readonly kind: 'closed' }

/** What the store's word is worth. Kept only where a final failure must not be told without it; moments as in {@link Held}. */
export interface Inquiry {
  /** When the store was asked what it last answered. */
  readonly asOf: number
  /** When a caller last came that the hot path did not serve. */
  readonly askedAt: number
}

/**
 * Everything one process knows about one key. Most keys are at rest: what those have in common is there once for all of them.
 *
 * `seen` never decreases and `token.version` is never below it; `rejected` never decreases and a token at or below it is never served.
 */
export interface State {
  readonly token: Held | undefined
  /** The highest version this process may have returned. */
  readonly seen: Version
  /** The highest version this process knows to be rejected. */
  readonly rejected: Version
  /** Number of the last attempt; the runner makes a name of it that no other process has. */
  readonly attempts: number
  readonly trouble: Trouble
  readonly inquiry: Inquiry
  /** A read is under way. */
  readonly reading: boolean
  /** A hint said that the record may be newer; the next caller starts a read. */
  readonly hinted: boolean
  /** No new work is begun; `now`, also nothing is tried again. */
  readonly closing: false | 'gracefully' | 'now'
  readonly activity: Activity
}

const NO_INQUIRY: Inquiry = { asOf: Number.NEGATIVE_INFINITY, askedAt: Number.NEGATIVE_INFINITY }

/** What is at rest shares one of these. */
export const IDLE: Activity = { kind: 'idle', lapsed: false }

/** Every field is there from the beginning: what is added later makes an object of these half as large again. */
export function initialState(known: { readonly seen: Version; readonly rejected: Version }): State {
  return {
    token: undefined,
    seen: known.seen,
    rejected: known.rejected,
    attempts: 0,
    trouble: NO_TROUBLE,
    inquiry: NO_INQUIRY,
    reading: false,
    hinted: false,
    closing: false,
    activity: IDLE,
  }
}

/** The token that may be served at `now`, if there is one. */
export function usableToken(state: State, now: number): Held | undefined {
  const { token } = state
  if (token === undefined || !token.trusted || now >= token.expiresAt || token.version <= state.rejected) return undefined
  return token
}

/** Whether the token that may be served should be renewed. */
export function isDue(state: State, now: number): boolean {
  return state.token === undefined || now >= state.token.renewAt
}

/**
 * The highest version that a claim must not be answered with: rejected, ended by this node's own clocks, or about to end while the
 * store, its clock gone back, may think it fresh.
 */
export function spentVersion(state: State, now: number, policy: Policy): Version {
  const { token } = state
  const lastCall = token !== undefined && isDue(state, now) && now >= token.expiresAt - policy.floorMs
  const ended = token !== undefined && (lastCall || now >= token.expiresAt) ? token.version : 0
  return Math.max(state.rejected, ended)
}

/** When the machine wants its next `woke` event; undefined for never. */
export function wakeAt(state: State): number | undefined {
  const { activity } = state
  switch (activity.kind) {
    case 'idle':
      return activity.lapsed || state.closing ? undefined : state.token?.renewAt
    case 'publishing':
      return activity.retryAt
    case 'following':
      return Math.min(activity.leaseEndsAt, activity.rereadAt)
    case 'cooling':
      return activity.retryAt
    case 'blocked':
      return activity.giveUpAt
    case 'detached':
      return activity.probeAt
    case 'rereading':
      return state.reading ? undefined : activity.at
    case 'claiming':
    case 'fetching':
    case 'subscribing':
    case 'closed':
      return undefined
  }
}
