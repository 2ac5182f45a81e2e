import { adopt } from './adopt.ts'
import type { Moment, Of, Step } from './happenings.ts'
import type { Policy } from './policy.ts'
import { knownAsOf, leaseDoubted, reread } from './rotation.ts'
import { afterOthers, carryOn, detach, startClaim, startRead } from './starts.ts'
import { IDLE, isDue, type State, usableToken } from './state.ts'
import { notice, step } from './step.ts'
import { withTrouble } from './trouble.ts'

/** Spread of the probes after a hint that the store is back, milliseconds. */
const PROBE_SPREAD_MS = 500

/** A snapshot that came with the answer to a read or a settle. */
export function told(state: State, event: Of<'told'>, policy: Policy): Step {
  const { snapshot, sentAt } = event
  const heard = event.read ? knownAsOf({ ...state, reading: false }, sentAt, policy) : state
  const next = adopt(heard, event, snapshot, policy)
  const { activity } = next
  const renewed = usableToken(next, event.now) !== undefined && !isDue(next, event.now)
  switch (activity.kind) {
    case 'idle':
      return carryOn(next, event, policy)
    case 'cooling':
      return renewed ? step({ ...next, activity: IDLE }) : step(next)
    case 'blocked':
      return renewed ? step({ ...next, activity: IDLE }, { type: 'forget-dependency' }) : step(next)
    case 'rereading':
      return reread(next, event, policy)
    case 'following':
      if (renewed) return step({ ...next, activity: IDLE })
      if (snapshot.lease === undefined) return startClaim(next, event, policy)
      return step({ ...next, activity: { ...activity, leaseEndsAt: afterOthers(event, sentAt + snapshot.lease.expiresInMs) } })
    default:
      return step(next)
  }
}

/**
 * What the read was to find out is still not known: the record may be newer, or say that the token served here is rejected. The store is
 * down, and is probed.
 */
export function readFailed(given: State, event: Of<'read-failed'>, policy: Policy): Step {
  // It has been tried: those who wait for the store's word are told what is known.
  const state = knownAsOf({ ...given, reading: false }, event.now, policy)
  const failed = withTrouble(state, { storeFailures: state.trouble.storeFailures + 1 })
  // Nothing is used up unseen. The lease runs out, and who comes next looks again.
  if (state.activity.kind === 'rereading') return step(detach(failed, event))
  const carried = carryOn(state, event, policy)
  if (carried.state.activity.kind !== 'idle' || usableToken(state, event.now) === undefined) return carried
  return step(detach({ ...failed, hinted: true }, event))
}

/** A hint. It is never believed, only followed up. */
export function changed(state: State, event: Of<'changed'>, policy: Policy): Step {
  const { activity } = state
  switch (activity.kind) {
    case 'following':
      return startClaim(state, event, policy)
    case 'rereading':
      return startRead(state)
    case 'blocked':
    case 'cooling':
      // A failure that others share is announced without a new version; only a newer version can end the wait early.
      return event.version === undefined || event.version > state.seen ? startRead(state) : step(state)
    case 'idle':
      if (state.token === undefined) return step(state)
      // The read under way may have been answered before.
      if (state.reading) return step({ ...state, hinted: true })
      return event.waiting ? startRead(state) : step({ ...state, hinted: true })
    case 'claiming': {
      // The answer on its way may be from before. Of the version that it brings, this is the announcement.
      const hinted = state.hinted || event.version === undefined || event.version > state.seen
      return step({ ...state, hinted, activity: { ...activity, unheard: true } })
    }
    case 'detached':
      // The store is back. Not for every key at once.
      return step({ ...state, activity: { ...activity, probeAt: Math.min(activity.probeAt, event.now + event.chance * PROBE_SPREAD_MS) } })
    default:
      return step(state)
  }
}

/**
 * The token is neither trusted nor dead: the store's clock knows, and one read asks it. So it is with a wait: whoever asks next claims, and is
 * told what is left of it.
 */
export function doubted(given: State, event: Moment): Step {
  const { activity } = given
  const state: State =
    activity.kind === 'cooling'
      ? { ...given, activity: { ...activity, retryAt: Math.min(activity.retryAt, event.now) } }
      : leaseDoubted(given, event)
  const { token } = state
  if (token === undefined || !token.trusted) return step(state)
  // Nor is it known for how long the upstream has vouched for it: the store knows that, too.
  const read = startRead({ ...state, token: { ...token, trusted: false, quietUntil: event.now } })
  return step(read.state, notice({ type: 'doubted' }), ...read.effects)
}
