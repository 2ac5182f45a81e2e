import { adopt } from './adopt.ts'
import type { Of, Step } from './happenings.ts'
import type { Policy } from './policy.ts'
import { carryOn, IDLE, startClaim, startRead } from './starts.ts'
import { isDue, type State, usableToken } from './state.ts'
import { notice, step } from './step.ts'

/** A snapshot that came with the answer to a read or a settle. */
export function told(state: State, event: Of<'told'>, policy: Policy): Step {
  const { snapshot, sentAt } = event
  const next = adopt(event.read ? { ...state, reading: false, hinted: false } : state, event, snapshot, policy)
  const { activity } = next
  const renewed = usableToken(next, event.now) !== undefined && !isDue(next, event.now)
  switch (activity.kind) {
    case 'idle':
      return carryOn(next, event, policy)
    case 'cooling':
      return renewed ? step({ ...next, activity: IDLE }) : step(next)
    case 'blocked':
      return renewed ? step({ ...next, activity: IDLE }, { type: 'forget-dependency' }) : step(next)
    case 'following':
      if (renewed) return step({ ...next, activity: IDLE })
      if (snapshot.lease === undefined) return startClaim(next, event, policy)
      return step({ ...next, activity: { ...activity, leaseEndsAt: sentAt + snapshot.lease.expiresInMs } })
    default:
      return step(next)
  }
}

/** A hint. It is never believed, only followed up. */
export function changed(state: State, event: Of<'changed'>, policy: Policy): Step {
  const { activity } = state
  switch (activity.kind) {
    case 'following':
      return startClaim(state, event, policy)
    case 'blocked':
    case 'cooling':
      // A failure that others share is announced without a new version; only a newer version can end the wait early.
      return event.version === undefined || event.version > state.seen ? startRead(state) : step(state)
    case 'idle':
      if (state.token === undefined) return step(state)
      return event.waiting ? startRead(state) : step({ ...state, hinted: true })
    default:
      return step(state)
  }
}

/** The token is neither trusted nor dead: the store's clock knows, and one read asks it. */
export function doubted(state: State): Step {
  const { token } = state
  if (token === undefined || !token.trusted) return step(state)
  const read = startRead({ ...state, token: { ...token, trusted: false } })
  return step(read.state, notice({ type: 'doubted' }), ...read.effects)
}
