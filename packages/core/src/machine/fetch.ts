import { TokenError } from '../errors.ts'
import type { Moment, Of, Step } from './happenings.ts'
import { type Policy, QUIET_MS, renewInMs } from './policy.ts'
import { blocked, carryOn, cool, detach, IDLE, startPublish } from './starts.ts'
import type { Held, State } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'

export function fetched(state: State, event: Of<'fetched'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'fetching') return step(state)
  const { grant } = activity
  const expiresAt = event.sentAt + event.expiresInMs
  const lifeMs = expiresAt - event.now
  if (lifeMs <= 0) return fetchEnded(state, event, policy, tooShort(lifeMs, policy))

  const version = grant?.fence ?? Math.max(state.seen, state.rejected) + 1
  const vouched = activity.rejectedValues.includes(event.value)
  const shareable = lifeMs >= policy.minimumLifeMs
  const token: Held = {
    value: event.value,
    version,
    expiresAt,
    renewAt: shareable ? event.now + renewInMs(lifeMs, event.chance, policy) : event.now,
    published: false,
    trusted: true,
    ...(vouched ? { quietUntil: event.now + QUIET_MS } : {}),
  }
  if (version < state.seen) return overtaken(state, event, policy)
  const next: State = { ...state, token, seen: Math.max(state.seen, version), hinted: false }
  const notices = [notice({ type: 'renewed', version, lifeMs }), ...(vouched ? [notice({ type: 'vouched', version })] : [])]
  // Not worth a publication, and asking again at once would loop: its callers have it, the fleet waits.
  if (!shareable) return prepend(notices, fetchEnded(next, event, policy, tooShort(lifeMs, policy)))

  const { failure: _past, ...healed } = next
  if (grant === undefined) return step(detach({ ...healed, failures: 0 }, event), ...notices)
  const publication = { attempt: event.attempt, fence: grant.fence, quiet: vouched, tries: 0 }
  return prepend(notices, startPublish({ ...healed, failures: 0 }, token, publication))
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
  if (!event.blocked) return fetchEnded(state, event, policy, event.failure)
  // Never wait for something else while holding a lease.
  return prepend(settle(activity.attempt, activity.grant, { backoffMs: 0 }), blocked(state, event, event.failure))
}

/** A fetch that brought nothing to share: the fleet, or without the store this process, waits before the next one. */
function fetchEnded(state: State, event: Moment, policy: Policy, failure: TokenError): Step {
  const { activity } = state
  if (activity.kind !== 'fetching') return step(state)
  const cooled = cool(state, event, policy, failure)
  const waitMs = cooled.state.activity.kind === 'cooling' ? cooled.state.activity.retryAt - event.now : 0
  return prepend(settle(activity.attempt, activity.grant, { backoffMs: waitMs, failure }), cooled)
}

function tooShort(lifeMs: number, policy: Policy): TokenError {
  return new TokenError(
    'FETCH_INVALID',
    `The token that arrived lives ${Math.floor(lifeMs)} ms; at least ${policy.minimumLifeMs} ms are needed to share it. ` +
      'Check that the life is given in milliseconds and is the time remaining.',
    { retryable: true },
  )
}
