import { TokenError } from '../errors.ts'
import type { Moment, Of, Step } from './happenings.ts'
import { NEW_QUIET_MS, type Policy, QUIET_MS, renewInMs, rotates } from './policy.ts'
import { rotationFailed } from './rotation.ts'
import { blocked, carryOn, detach, shareFailure, startPublish } from './starts.ts'
import { type Held, IDLE, type State } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'
import { NO_FAILURES, withTrouble } from './trouble.ts'

export function fetched(state: State, event: Of<'fetched'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'fetching') return step(state)
  const { grant } = activity
  const rotating = rotates(policy)
  const lifeMs = Math.max(0, event.sentAt + event.expiresInMs - event.now)
  const expiresAt = event.now + lifeMs
  // What came with one that renews itself is published however late: ended, it is served to nobody.
  if (lifeMs <= 0 && !rotating) return shareFailure(state, event, policy, activity, tooShort(lifeMs, policy))

  const version = grant?.fence ?? Math.max(state.seen, state.rejected) + 1
  const { rejectedValues } = activity
  // Where a new one is made for every request, that it was made just now is all the upstream's word for it.
  const isVouched = rejectedValues.includes(event.value) || (rotating && rejectedValues.length > 0)
  const quietMs = isVouched ? QUIET_MS : rejectedValues.length > 0 ? NEW_QUIET_MS : 0
  // It vouched when it was asked: on a machine that slept since, that is long ago.
  const quietUntil = event.sentAt + quietMs
  const isQuiet = event.now < quietUntil
  const shareable = rotating || lifeMs >= policy.minimumLifeMs
  const renewAt = shareable ? event.now + renewInMs(lifeMs, event.chance, policy) : event.now
  const fresh: Held = { value: event.value, version, expiresAt, renewAt, published: false, trusted: true }
  const token = isQuiet ? { ...fresh, quietUntil } : fresh
  if (version < state.seen) return overtaken(state, event, policy)
  const reported = event.value === state.trouble.reported ? undefined : state.trouble.reported
  const next = withTrouble({ ...state, token, seen: Math.max(state.seen, version), hinted: false }, { reported })
  const notices = [notice({ type: 'renewed', version, lifeMs }), ...(isVouched && isQuiet ? [notice({ type: 'vouched', version })] : [])]
  // Not worth a publication, and asking again at once would loop: its callers have it, the fleet waits.
  if (!shareable) return prepend(notices, shareFailure(next, event, policy, activity, tooShort(lifeMs, policy)))

  const healed = withTrouble(next, NO_FAILURES)
  if (grant === undefined) return step(detach(healed, event), ...notices)
  const publication = {
    attempt: event.attempt,
    fence: grant.fence,
    quietMs: isQuiet ? quietMs : 0,
    basedOn: rotating ? (activity.previous?.version ?? 0) : undefined,
    tries: 0,
  }
  return prepend(notices, startPublish(healed, token, publication))
}

/** While this was fetched something newer came by another way; nobody is to be served what is older. */
function overtaken(state: State, event: Moment & { readonly attempt: number }, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'fetching') return step(state)
  const idle = carryOn({ ...state, activity: IDLE }, event, policy)
  return prepend(settle(event.attempt, activity.grant, { backoffMs: 0 }), idle)
}

export function fetchFailed(state: State, event: Of<'fetch-failed'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'fetching') return step(state)
  if (event.outcome === 'blocked') {
    // Never wait for something else while holding a lease.
    return prepend(settle(activity.attempt, activity.grant, { backoffMs: 0 }), blocked(state, event, event.failure))
  }
  return rotates(policy) ? rotationFailed(state, event, policy) : shareFailure(state, event, policy, activity, event.failure)
}

function tooShort(lifeMs: number, policy: Policy): TokenError {
  return new TokenError(
    'FETCH_INVALID',
    `The token that arrived lives ${Math.floor(lifeMs)} ms; at least ${policy.minimumLifeMs} ms are needed to share it. ` +
      'Check that the life is given in milliseconds and is the time remaining.',
    { retryable: true },
  )
}
