/**
 * The machine of one key in one process: what to do next, decided from what is known.
 *
 * `transition(state, event, policy)` is pure: time, chance and the outcomes of I/O arrive in the event, and what should be done leaves as
 * data. The contract of each activity stands at {@link Activity}; the way through them is
 *
 *     idle → claiming → fetching → publishing → idle      the store granted the lease
 *            claiming → following → claiming              another holds it
 *            claiming → cooling → claiming                a failure is being waited out
 *            claiming → blocked → claiming                the fetch needs something that is not there
 *            fetching → blocked → claiming                the same, found out with the lease in hand
 *            claiming → rereading → fetching              it is used up by its fetch, and the last holder vanished
 *            fetching → rereading → cooling               it is used up, and what was used is refused
 *            claiming → fetching (no grant) → detached    the store is down
 *
 * What holds in every state: a token at or below `rejected`, past its end, or doubted is never served; `seen` and `rejected` never
 * decrease; a lease that was granted is published under, settled, or left to run out on purpose; an outcome that belongs to an attempt
 * other than the current one changes no activity; and whenever a caller waits, something is under way that will end.
 *
 * @module
 */
import { claimBlocked, claimed, claimFailed } from './claim.ts'
import { fetched, fetchFailed } from './fetch.ts'
import type { Event, Moment, Of, Step } from './happenings.ts'
import { changed, doubted, readFailed, told } from './hearsay.ts'
import { DEPENDENCY_MS, type Policy, rotates } from './policy.ts'
import { abandonPublication, letGo, publishAgain, published, publishFailed } from './publish.ts'
import { invalidated, rejected, rejectLocally } from './rejection.ts'
import { inquiredAt, needsSecondLook } from './rotation.ts'
import { FIRST_REREAD_MS, isUnpublished, lapse, nextReread, startClaim, startRead, waitedInVain } from './starts.ts'
import { isDue, type State, usableToken } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'
import { withTrouble } from './trouble.ts'

export function transition(state: State, event: Event, policy: Policy): Step {
  if (state.activity.kind === 'closed') return step(state)
  const next = withSecondLook(withAdoption(state, event, react(state, event, policy)), event, policy)
  return next.state.closing ? endIfDone(next, policy) : next
}

function withSecondLook(next: Step, event: Event, policy: Policy): Step {
  return needsSecondLook(next.state, event, policy) ? prepend(next.effects, startRead(next.state)) : next
}

/** A token that came through the store, not through this process's own fetch, is worth a notice wherever it came up. */
function withAdoption(before: State, event: Event, next: Step): Step {
  const { token } = next.state
  if (token === undefined || token.version === before.token?.version || !token.published) return next
  return { ...next, effects: [...next.effects, notice({ type: 'adopted', version: token.version, lifeMs: token.expiresAt - event.now })] }
}

function react(state: State, event: Event, policy: Policy): Step {
  switch (event.type) {
    case 'wanted':
      return wanted(inquiredAt(state, event.now, policy), event, policy)
    case 'woke':
      return woke(state, event, policy)
    case 'claimed':
      return isCurrent(state, 'claiming', event.attempt) ? claimed(state, event, policy) : step(state)
    case 'claim-failed':
      return isCurrent(state, 'claiming', event.attempt)
        ? claimFailed(withTrouble(state, { unanswered: event.attempt }), event, policy)
        : step(state)
    case 'claim-blocked':
      return isCurrent(state, 'claiming', event.attempt) ? claimBlocked(state, event) : step(state)
    case 'fetched':
      return isCurrent(state, 'fetching', event.attempt) ? fetched(state, event, policy) : step(state)
    case 'fetch-failed':
      return isCurrent(state, 'fetching', event.attempt) ? fetchFailed(state, event, policy) : step(state)
    case 'published':
      return published(state, event, policy)
    case 'publish-failed':
      return isCurrent(state, 'publishing', event.attempt) ? publishFailed(state, event, policy) : step(state)
    case 'unblocked':
      return state.activity.kind === 'blocked' ? startClaim(state, event, policy) : step(state)
    case 'block-failed':
      return state.activity.kind === 'blocked' ? waitedInVain(state, event, policy, event.failure) : step(state)
    case 'told':
      return told(state, event, policy)
    case 'read-failed':
      return readFailed(state, event, policy)
    case 'rejected':
      return rejected(state, event, policy)
    case 'invalidated':
      return invalidated(state, event, policy)
    case 'invalidate-failed':
      return rejectLocally(state, event, policy, event.version)
    case 'changed':
      return changed(state, event, policy)
    case 'subscribed':
      return state.activity.kind === 'subscribing' ? startClaim(state, event, policy) : step(state)
    case 'doubted':
      return doubted(state, event)
    case 'close':
      return close(state, event, policy)
  }
}

function wanted(state: State, event: Moment, policy: Policy): Step {
  const { activity } = state
  const usable = usableToken(state, event.now) !== undefined
  switch (activity.kind) {
    case 'idle':
      if (state.reading || state.trouble.rejecting !== undefined) return step(state)
      if (!usable || isDue(state, event.now)) return startClaim(state, event, policy)
      return state.hinted ? startRead(state) : step(state)
    case 'cooling':
      return event.now >= activity.retryAt ? startClaim(state, event, policy) : step(state)
    case 'detached':
      return usable ? step(state) : startClaim(state, event, policy)
    case 'publishing':
      if (usable || activity.retryAt === undefined) return step(state)
      return rotates(policy) ? publishAgain(state, event, policy) : abandonPublication(state, event, policy)
    case 'following':
      // A renewal that nobody waited for becomes one that somebody waits for: with a token at hand for a moment, which a hint ends in time.
      return usable && (event.hints === 'on' || !event.waiting)
        ? step(state)
        : step({ ...state, activity: { ...activity, rereadAt: Math.min(activity.rereadAt, event.now + FIRST_REREAD_MS) } })
    default:
      return step(state)
  }
}

function woke(state: State, event: Moment, policy: Policy): Step {
  const { activity } = state
  const needed = event.asked || event.waiting || isUnpublished(state, event.now)
  switch (activity.kind) {
    case 'idle':
      if (!isDue(state, event.now) || activity.lapsed) return step(state)
      return needed ? startClaim(state, event, policy) : step(lapse(state, event))
    case 'cooling':
      if (event.now < activity.retryAt) return step(state)
      return needed ? startClaim(state, event, policy) : step(lapse(state, event))
    case 'detached':
      if (event.now < activity.probeAt) return step(state)
      if (needed) return startClaim(state, event, policy)
      // What was announced meanwhile, if anything was, nobody has looked at.
      return step(lapse({ ...state, hinted: usableToken(state, event.now) !== undefined }, event))
    case 'following':
      if (event.now >= activity.leaseEndsAt) return startClaim(state, event, policy)
      return event.now >= activity.rereadAt ? startRead({ ...state, activity: nextReread(activity, event) }) : step(state)
    case 'rereading':
      return event.now >= activity.at ? startRead(state) : step(state)
    case 'blocked':
      if (event.now < activity.giveUpAt) return step(state)
      if (event.waiting) return step({ ...state, activity: { ...activity, giveUpAt: event.now + DEPENDENCY_MS } })
      return prepend([{ type: 'forget-dependency' }], waitedInVain(state, event, policy, activity.failure))
    case 'publishing':
      if (activity.retryAt === undefined || event.now < activity.retryAt) return step(state)
      return publishAgain(state, event, policy)
    default:
      return step(state)
  }
}

/**
 * Brings the machine to its end: at once where nothing is under way, else with the outcome of what is. A second `close`
 * with `finish` false cuts short what the first was waiting for.
 */
function close(state: State, event: Of<'close'>, policy: Policy): Step {
  const { activity } = state
  const closing: State = { ...state, closing: event.finish ? 'gracefully' : 'now' }
  const closed: State = { ...closing, activity: { kind: 'closed' } }
  switch (activity.kind) {
    case 'fetching':
      // A request that uses up a secret is not given up: what it brings would be lost.
      if (event.finish || rotates(policy)) return step(closing)
      return step(
        closed,
        { type: 'abandon-fetch', attempt: activity.attempt },
        ...settle(activity.attempt, activity.grant, { backoffMs: 0 }),
      )
    case 'claiming':
    case 'publishing':
      // Both end by themselves within the store's deadline; a lease that is granted meanwhile is released.
      return step(closing)
    case 'blocked':
      return step(closed, { type: 'forget-dependency' })
    default:
      return step(closed)
  }
}

function isCurrent(state: State, kind: 'claiming' | 'fetching' | 'publishing', attempt: number): boolean {
  return state.activity.kind === kind && state.activity.attempt === attempt
}

/** While closing, only work that is under way and will end keeps the machine open. */
function endIfDone(next: Step, policy: Policy): Step {
  const { activity, closing } = next.state
  const triedAgain = rotates(policy) && closing === 'gracefully'
  const underWay =
    activity.kind === 'claiming' ||
    activity.kind === 'fetching' ||
    (activity.kind === 'publishing' && (triedAgain || activity.retryAt === undefined))
  if (underWay) return next
  // What waits to be published once more is not waited for: the fleet gets the lease back.
  const release = activity.kind === 'publishing' ? letGo(activity, policy) : []
  return { state: { ...next.state, activity: { kind: 'closed' } }, effects: [...next.effects, ...release] }
}
