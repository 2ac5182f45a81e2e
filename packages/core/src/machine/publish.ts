import { adopt } from './adopt.ts'
import type { Effect, Moment, Of, Step } from './happenings.ts'
import { type Policy, rotates } from './policy.ts'
import { carryOn, probeMs, startPublish } from './starts.ts'
import { type Activity, IDLE, isDue, type State, usableToken } from './state.ts'
import { notice, prepend, step } from './step.ts'
import { withTrouble } from './trouble.ts'

/** Repeats of a publication that must not come too late, before they become rarer. */
const EAGER_TRIES = 60

export function published(state: State, event: Of<'published'>, policy: Policy): Step {
  const { publication } = event
  const { activity, token } = state
  const current = activity.kind === 'publishing' && activity.attempt === event.attempt
  // Answered is answered: superseded or not, there is nothing left to publish.
  // The record may hold a lower version, of a login that came in between: what that one brought goes on, not this.
  const superseded = publication.kind === 'superseded' && token !== undefined && publication.snapshot.version < token.version
  const mine: State =
    current && token?.version === activity.fence
      ? withTrouble(
          { ...state, token: { ...token, published: true, ...(superseded && { superseded }) } },
          { failure: undefined, reported: undefined },
        )
      : state
  const next = adopt(mine, event, publication.snapshot, policy)
  const told = publication.kind === 'accepted' ? [] : [notice({ type: 'superseded', version: publication.snapshot.version })]
  return prepend(told, current ? carryOn({ ...next, activity: IDLE }, event, policy) : step(next))
}

/** The outcome is unknown: the same publication again, later. Callers have the token meanwhile. */
export function publishFailed(state: State, event: Of<'publish-failed'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'publishing') return step(state)
  const told = notice({ type: 'detached', failure: event.failure })
  // What replaces a used-up secret is kept until the store has it or something newer, whatever else is over.
  const worthIt = rotates(policy) ? state.closing !== 'now' : usableToken(state, event.now) !== undefined
  if (!worthIt) return prepend([told], abandonPublication(state, event, policy))
  const tries = activity.tries + 1
  // Whoever takes over looks once more after a while: by then it should be there.
  const retryAt = event.now + probeMs(rotates(policy) ? tries - EAGER_TRIES : tries, event.chance)
  return step({ ...state, activity: { ...activity, tries, retryAt } }, told)
}

/** Sends what the store has not answered once more, if it is still worth it. */
export function publishAgain(state: State, event: Moment, policy: Policy): Step {
  const { activity, token } = state
  if (activity.kind !== 'publishing') return step(state)
  // The store has had another one since: this one is of no use to anybody. Its answer would have told what else the store has; so that is looked at.
  if (token?.version !== activity.fence) return abandonPublication({ ...state, hinted: true }, event, policy)
  const worthIt = rotates(policy) || (usableToken(state, event.now) !== undefined && !isDue(state, event.now))
  return worthIt ? startPublish(state, token, activity) : abandonPublication(state, event, policy)
}

/** The token was rejected, replaced or has ended before the store had it: its lease is let go, or the next claim would wait for that to run out. */
export function abandonPublication(state: State, event: Moment, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'publishing') return step(state)
  return prepend(letGo(activity, policy), carryOn({ ...state, activity: IDLE }, event, policy))
}

/** Gives back the lease under which something was to be published. Of what used up a secret nobody may think that nothing has happened. */
export function letGo({ attempt, fence }: Extract<Activity, { kind: 'publishing' }>, policy: Policy): Effect[] {
  return rotates(policy) ? [] : [{ type: 'settle', attempt, fence, backoffMs: 0 }]
}
