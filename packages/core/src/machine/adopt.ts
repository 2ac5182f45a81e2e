import type { Snapshot, Version } from '../store.ts'
import type { Moment } from './happenings.ts'
import { type Policy, RENEWAL_SPREAD_MS } from './policy.ts'
import type { Held, State } from './state.ts'
import { NO_FAILURES, withTrouble } from './trouble.ts'

/**
 * Takes over what a snapshot says; the store that gave it has answered. Its durations are counted from `sentAt`, when the request for it
 * was sent: so they end too early rather than too late.
 *
 * A version below `seen` or up to `rejected` is left alone: serving it would go back to a token the process has left.
 */
export function adopt(state: State, moment: Moment & { readonly sentAt: number }, snapshot: Snapshot, policy: Policy): State {
  const heard = withTrouble(state, { storeFailures: 0 })
  const rejected = Math.max(heard.rejected, snapshot.rejectedUpTo)
  const base = withRejected(heard, moment, snapshot, rejected)
  const { version, value } = snapshot
  if (value === undefined || version === 0 || version < base.seen) return base

  const { sentAt } = moment
  const expiresAt = sentAt + snapshot.expiresInMs
  const spread = (ofMs: number) => moment.chance * Math.min(RENEWAL_SPREAD_MS, Math.max(0, ofMs) / 10)
  const renewAt = sentAt + snapshot.renewInMs + spread(snapshot.renewInMs)
  const known = base.token
  if (known !== undefined && known.version === version && known.value === value) {
    const earliest = Math.min(known.expiresAt, expiresAt)
    // A store whose clock went back would put the renewal off beyond the end that this node has already known. Never earlier than first
    // planned: for a life of little more than the floor that would be a renewal every moment.
    const lastCall = Math.max(earliest - policy.floorMs + spread(policy.floorMs), known.renewAt)
    const token: Held = {
      ...known,
      expiresAt: earliest,
      renewAt: lastCall > sentAt ? Math.min(renewAt, lastCall) : renewAt,
      published: true,
      trusted: true,
    }
    return { ...base, token }
  }
  if (snapshot.expiresInMs <= 0 || version <= rejected) return base
  // It may have been fetched before it was reported here.
  if (value === base.trouble.reported) return { ...base, rejected: version }
  // Somebody has succeeded since whatever failed here.
  return withTrouble(
    { ...base, seen: version, token: { value, version, renewAt, expiresAt, published: true, trusted: true } },
    { ...NO_FAILURES, reported: undefined },
  )
}

/**
 * With what the store calls rejected. What this process has fetched without the store may be the same value, and is as dead then: who reported it may
 * have been given it later. Unless the upstream has vouched for it just now.
 */
function withRejected(state: State, { now }: Moment, { value, version, rejectedUpTo }: Snapshot, rejected: Version): State {
  const { token } = state
  const isSame = token !== undefined && !token.published && token.value === value && version <= rejectedUpTo
  const isTwin = isSame && now >= (token.quietUntil ?? Number.NEGATIVE_INFINITY)
  const upTo = isTwin ? Math.max(rejected, token.version) : rejected
  return upTo === state.rejected ? state : { ...state, rejected: upTo }
}
