import type { TokenError } from '../errors.ts'
import { LINGER_MS, type Policy, RENEWAL_SPREAD_MS, rotates } from './policy.ts'
import { isFinal } from './rotation.ts'
import { type Held, isDue, type State, usableToken } from './state.ts'

/** What one caller asks for. Moments are milliseconds of the node's monotonic clock. */
export interface Need {
  /** Life the token must have left, milliseconds. 0 for any. */
  readonly minLifeMs: number
  /** When the caller came. */
  readonly since: number
  /** When the caller's patience ends. */
  readonly until: number
}

/** What a caller is told now: its token, its failure, or to wait; `again` is a moment at which waiting may turn into serving. */
export type Verdict =
  | { readonly kind: 'serve'; readonly token: Held }
  | { readonly kind: 'fail'; readonly failure: TokenError }
  | { readonly kind: 'short'; readonly lifeMs: number }
  | { readonly kind: 'wait'; readonly again?: number }

/** Decides for one caller, from what is known at `now`. */
export function verdict(state: State, need: Need, now: number, policy: Policy): Verdict {
  const token = usableToken(state, now)
  const { activity } = state
  if (token !== undefined && token.expiresAt - now >= need.minLifeMs) {
    const backedOff = activity.kind === 'cooling' || activity.kind === 'detached'
    const linger = isDue(state, now) && token.expiresAt - now < policy.floorMs && !backedOff && token.published
    const lingersUntil = Math.min(need.since + LINGER_MS, need.until)
    if (!linger || now >= lingersUntil) return { kind: 'serve', token }
    return { kind: 'wait', again: lingersUntil }
  }
  if (token !== undefined && !isDue(state, now)) {
    // A process that took it over renews it a little later than planned: so long is waited for what is said to be always to be had.
    if (token.renewAt < Math.min(now + RENEWAL_SPREAD_MS, need.until)) return { kind: 'wait', again: token.renewAt }
    return { kind: 'short', lifeMs: token.expiresAt - now }
  }
  if (activity.kind === 'cooling' && now < activity.retryAt) {
    // See needsSecondLook: somebody looks on behalf of this caller.
    if (rotates(policy) && isFinal(activity.failure) && need.since > state.inquiry.asOf) return { kind: 'wait' }
    const pointless = !activity.failure.retryable || activity.retryAt >= need.until
    if (pointless) return { kind: 'fail', failure: activity.failure }
  }
  return { kind: 'wait' }
}
