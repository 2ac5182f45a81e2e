import { adopt } from './adopt.ts'
import type { Moment, Of, Step } from './happenings.ts'
import type { Policy } from './policy.ts'
import { carryOn, IDLE, probeMs } from './starts.ts'
import { type State, usableToken } from './state.ts'
import { notice, prepend, step } from './step.ts'

export function published(state: State, event: Of<'published'>, policy: Policy): Step {
  const { publication } = event
  const current = state.activity.kind === 'publishing' && state.activity.attempt === event.attempt
  const { token } = state
  // Answered is answered: superseded or not, there is nothing left to publish.
  const { failure: _past, ...healed } = state
  const mine: State = current && token !== undefined ? { ...healed, token: { ...token, published: true } } : state
  const next = adopt({ ...mine, storeFailures: 0 }, event, publication.snapshot, policy)
  const told = publication.kind === 'accepted' ? [] : [notice({ type: 'superseded', version: publication.snapshot.version })]
  return prepend(told, current ? carryOn({ ...next, activity: IDLE }, event, policy) : step(next))
}

/** The outcome is unknown: the same publication again, later. Callers have the token meanwhile. */
export function publishFailed(state: State, event: Of<'publish-failed'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'publishing') return step(state)
  const told = notice({ type: 'detached', failure: event.failure })
  if (usableToken(state, event.now) === undefined) return prepend([told], abandonPublication(state, event, policy))
  const tries = activity.tries + 1
  const retryAt = event.now + probeMs(tries, event.chance)
  return step({ ...state, activity: { ...activity, tries, retryAt } }, told)
}

/** The token was rejected or has ended before the store had it: its lease is let go, or the next claim would wait for that to run out. */
export function abandonPublication(state: State, event: Moment, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'publishing') return step(state)
  const { attempt, fence } = activity
  return prepend([{ type: 'settle', attempt, fence, backoffMs: 0 }], carryOn({ ...state, activity: IDLE }, event, policy))
}
