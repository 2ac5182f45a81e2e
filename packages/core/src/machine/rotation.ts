/**
 * Credentials whose every fetch uses up a secret that the last one brought. The rules are stricter than for others: one that was used up
 * and whose successor is lost cannot be had again.
 * @module
 */
import { TokenError } from '../errors.ts'
import type { Claim, Snapshot } from '../store.ts'
import type { Moment, Of, Step } from './happenings.ts'
import { type Policy, type RotatingPolicy, rotates } from './policy.ts'
import { carryOn, cool, follow, shareFailure, startFetch, startRead } from './starts.ts'
import { type Errand, type Grant, IDLE, type State } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'
import { NO_FAILURES, withTrouble } from './trouble.ts'

type Granted = Extract<Claim, { kind: 'granted' }>

/** The lease is in hand. The newest secret known is used, unless the last holder vanished and may be about to publish its successor. */
export function startRotation(
  state: State,
  event: Moment,
  policy: RotatingPolicy,
  errand: Errand & { readonly grant: Grant },
  { snapshot, takeover }: Granted,
): Step {
  const previous = newest(errand.previous, snapshot)
  // There is a secret, and others can read it: this process must neither use up another nor tell them to wait.
  if (previous === undefined && snapshot.version > 0) {
    const release = takeover ? [] : settle(errand.attempt, errand.grant, { backoffMs: 0 })
    return prepend(release, cool(state, event, policy, unreadable(), 1))
  }
  if (!takeover || previous === undefined) return startFetch(state, event, policy, { ...errand, previous })
  return step({ ...state, activity: { kind: 'rereading', ...errand, previous, at: event.now + policy.takeoverDelayMs } })
}

/** What the record says after all. Anything newer than what was to be used, or was refused, is what everybody goes on with. */
export function reread(state: State, event: Of<'told'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'rereading') return step(state)
  const { kind: _, at, refusal, ...errand } = activity
  if (event.snapshot.version > (errand.previous?.version ?? 0)) {
    return prepend(
      settle(errand.attempt, errand.grant, { backoffMs: 0 }),
      carryOn(withTrouble({ ...state, activity: IDLE }, NO_FAILURES), event, policy),
    )
  }
  if (!event.read || event.sentAt < at) return step(state)
  return refusal === undefined ? startFetch(state, event, policy, errand) : shareFailure(state, event, policy, errand, refusal)
}

/**
 * The machine slept while it waited to look once more: its lease may be over, and another may be using up the secret now. The lease is left to
 * run out, which tells the next holder to wait.
 */
export function leaseDoubted(state: State, event: Moment): State {
  const { activity } = state
  // After a refusal nothing is used up any more.
  const isTakingOver = activity.kind === 'rereading' && activity.refusal === undefined
  return isTakingOver ? { ...state, activity: follow(event, event.now) } : state
}

export function rotationFailed(state: State, event: Of<'fetch-failed'>, policy: Policy): Step {
  const { activity } = state
  if (activity.kind !== 'fetching' || activity.grant === undefined) return step(state)
  const { kind: _, grant, ...errand } = activity
  if (event.outcome !== 'unspent') {
    // Not settled: a lease that runs out is what tells the next holder that the secret may be used up.
    const { failure } = event
    const unknown: State = { ...withTrouble(state, { failure }), activity: follow(event, grant.leaseEndsAt) }
    return step(unknown, notice({ type: 'outcome-unknown', failure }))
  }
  if (event.failure.code !== 'REAUTHORIZATION_REQUIRED') return shareFailure(state, event, policy, activity, event.failure)
  return startRead({ ...state, activity: { kind: 'rereading', ...errand, grant, at: event.now, refusal: event.failure } })
}

/** A caller has come for whom the store's word counts. */
export function inquiredAt(state: State, now: number, policy: Policy): State {
  return rotates(policy) ? { ...state, inquiry: { ...state.inquiry, askedAt: now } } : state
}

/** The store has answered what it was asked at `asOf`, or is not going to. */
export function knownAsOf(state: State, asOf: number, policy: Policy): State {
  return rotates(policy) ? { ...state, inquiry: { ...state.inquiry, asOf } } : state
}

/** That somebody has to authorise anew is said only on the store's word: it may have been done a moment ago, in another process. */
export function needsSecondLook(state: State, event: Moment, policy: Policy): boolean {
  const { activity, inquiry } = state
  const final = activity.kind === 'cooling' && isFinal(activity.failure) && event.now < activity.retryAt
  return final && rotates(policy) && event.waiting && !state.reading && inquiry.askedAt > inquiry.asOf
}

export function isFinal(failure: TokenError): boolean {
  return failure.code === 'REAUTHORIZATION_REQUIRED'
}

/** The newer of what this process holds and what the record says: after a loss of data in the store only the former is good for anything. */
function newest(held: Errand['previous'], { version, value }: Snapshot): Errand['previous'] {
  if (held !== undefined && held.version >= version) return held
  return value === undefined ? undefined : { value, version }
}

function unreadable(): TokenError {
  const message =
    'What the store has cannot be read with the keys of this process, and it cannot be fetched anew: see encryption.keys. ' +
    'Processes that have the key go on.'
  return new TokenError('RECORD_UNREADABLE', message, { retryable: false })
}
