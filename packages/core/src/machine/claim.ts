import { TokenError } from '../errors.ts'
import type { Claim, Version } from '../store.ts'
import { adopt } from './adopt.ts'
import type { Of, Step } from './happenings.ts'
import { fetchDeadline, type Policy, rotates } from './policy.ts'
import { knownAsOf, startRotation } from './rotation.ts'
import {
  afterOthers,
  blocked,
  carryOn,
  cool,
  detach,
  follow,
  isUnpublished,
  startClaim,
  startFetch,
  startPublish,
  startRead,
} from './starts.ts'
import { type Grant, type Held, IDLE, isDue, type State, usableToken } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'
import { NO_FAILURES, withTrouble } from './trouble.ts'

/** What a store says does not hold for longer is not asked about again sooner, milliseconds: it may go on saying so for ever. */
const SOONEST_MS = 100
/** An answer that took longer is one from before a pause of this process, milliseconds. */
const STALE_MS = 5_000

export function claimed(state: State, event: Of<'claimed'>, policy: Policy): Step {
  const { claim, sentAt } = event
  if (state.activity.kind !== 'claiming') return step(state)
  const { unheard, spent, seen } = state.activity
  const answered = withTrouble(state, { unanswered: undefined, waits: 0 })
  const next = adopt(knownAsOf(answered, sentAt, policy), event, claim.snapshot, policy)
  switch (claim.kind) {
    case 'granted':
      return granted(next, event, claim, policy, state, seen)
    case 'fresh': {
      const token = usableToken(next, event.now)
      // It was reported while the answer was on its way, or the process stood still: the answer is of no use, and nobody's fault.
      const { version } = claim.snapshot
      const isReported = version <= next.rejected && version > spent
      if (token === undefined && (isReported || event.now - sentAt > STALE_MS)) return carryOn({ ...next, activity: IDLE }, event, policy)
      // A fresh value that has ended on this node's clocks cannot be waited for: nobody else will replace it.
      if (token === undefined) return claimFailed(next, { ...event, type: 'claim-failed', failure: endedFresh() }, policy)
      const renewAt = Math.max(token.renewAt, event.now + SOONEST_MS)
      return carryOn(withTrouble({ ...next, token: { ...token, renewAt }, activity: IDLE }, NO_FAILURES), event, policy)
    }
    case 'held': {
      const leaseEndsInMs = claim.snapshot.lease?.expiresInMs ?? 0
      const told = notice({ type: 'held', leaseMs: leaseEndsInMs })
      // What others have done since may have been announced already, or before there was anybody to hear it: the next answer knows.
      if (unheard && event.hints === 'on' && !state.closing) return prepend([told], startClaim(next, event, policy))
      if (event.hints === 'untried') return step({ ...next, activity: { kind: 'subscribing' } }, told, { type: 'subscribe' })
      return step({ ...next, activity: follow(event, sentAt + leaseEndsInMs) }, told)
    }
    case 'backoff': {
      const { backoff } = claim.snapshot
      const failure = event.failure ?? unreadableFailure()
      const retryAt = afterOthers(event, Math.max(sentAt + (backoff?.retryInMs ?? 0), event.now + SOONEST_MS))
      const cooled: State = { ...withTrouble(counted(next, claim), { failure }), activity: { kind: 'cooling', retryAt, failure } }
      const told = notice({ type: 'backoff', retryInMs: retryAt - event.now, failure, shared: true })
      // A newer version that was announced meanwhile ends the wait.
      return prepend([told], next.hinted ? startRead(cooled) : step(cooled))
    }
  }
}

function granted(
  state: State,
  event: Of<'claimed'>,
  claim: Extract<Claim, { kind: 'granted' }>,
  policy: Policy,
  before: State,
  seenByClaim: Version,
): Step {
  const { attempt, now } = event
  const leaseInMs = claim.snapshot.lease?.expiresInMs ?? 0
  const grant: Grant = {
    fence: claim.fence,
    deadline: fetchDeadline(event.sentAt, leaseInMs),
    leaseEndsAt: event.sentAt + leaseInMs,
  }
  // A lease that says that the last holder vanished is let run out, so that the next one says it too.
  const release = claim.takeover && rotates(policy) ? [] : settle(attempt, grant, { backoffMs: 0 })
  if (state.closing) return step({ ...state, activity: { kind: 'closed' } }, ...release)
  // A lease that was granted late to a claim of long ago. What it was claimed for has come by another way,
  // though not by the store's mere word that what was due before its answer is not.
  const came = usableToken(state, now)
  if (came?.published && !isDue(state, now) && !(came.version === before.token?.version && isDue(before, now))) {
    return prepend(release, carryOn(withTrouble({ ...state, activity: IDLE }, NO_FAILURES), event, policy))
  }
  // or its fence is no good any more: what is fetched under it would be rejected already.
  if (before.trouble.unanswered === attempt && claim.fence <= Math.max(state.seen, state.rejected)) {
    return prepend(release, startClaim(state, event, policy))
  }
  // Something newer has come while the answer was on its way: publishing under this fence would go back.
  if (claim.fence <= state.seen && claim.fence > seenByClaim) return prepend(release, startClaim(state, event, policy))
  // By the contract a fence is above what the claim had seen.
  if (claim.fence <= state.seen) {
    return prepend(release, claimFailed(state, { ...event, type: 'claim-failed', failure: lowFence() }, policy))
  }
  // Paused between the request and its reply: the lease may be another's by now.
  if (now >= grant.deadline) {
    // It is the store that is slow: the next claim comes as after as many that had no answer.
    const storeFailures = before.trouble.storeFailures + 1
    return prepend(release, cool(withTrouble(state, { storeFailures }), event, policy, tooLate(), storeFailures))
  }

  const { token } = state
  if (token !== undefined && isUnpublished(state, now)) {
    // Fetched while the store was down. It is worth sharing only if nobody has rejected anything in the meantime.
    if (state.rejected === before.rejected) {
      const renamed: Held = { ...token, version: claim.fence, formerly: token.version }
      const quietMs = Math.max(0, (token.quietUntil ?? now) - now)
      return startPublish(withTrouble({ ...state, seen: claim.fence, token: renamed }, NO_FAILURES), renamed, {
        attempt,
        fence: claim.fence,
        quietMs,
        basedOn: undefined,
        tries: 0,
      })
    }
  }
  const spent = (version: Version, value: string | undefined) => (value !== undefined && version <= state.rejected ? [value] : [])
  const rejectedValues = [...spent(token?.version ?? 0, token?.value), ...spent(claim.snapshot.version, claim.snapshot.value)]
  const told = notice({ type: 'granted', fence: claim.fence, takeover: claim.takeover })
  const errand = { attempt, grant, rejectedValues, previous: token?.superseded ? undefined : token }
  const next = counted(state, claim)
  return prepend([told], rotates(policy) ? startRotation(next, event, policy, errand, claim) : startFetch(next, event, policy, errand))
}

/**
 * With the failures in a row as the store counts them or, where it was not told, this process: the greater, or one that reaches the store now and then
 * would begin anew each time. What others have brought since the store was last asked ends a row that only this process knows of.
 */
function counted(state: State, { snapshot }: Claim): State {
  const { version, backoff } = snapshot
  const { failedOver, failures } = state.trouble
  const own = failedOver !== undefined && version > failedOver ? 0 : failures
  return withTrouble(state, { failures: Math.max(own, backoff?.failures ?? 0), failedOver: Math.max(failedOver ?? 0, version) })
}

/** A lease is for those who can fetch. What another process has published is as good here as anywhere: the record is read. */
export function claimBlocked(state: State, event: Of<'claim-blocked'>): Step {
  const waiting = blocked(state, event, event.failure)
  return state.closing ? waiting : prepend(waiting.effects, startRead(waiting.state))
}

/** The store does not answer. What is at hand is served on; with nothing at hand this process fetches for itself. */
export function claimFailed(state: State, event: Of<'claim-failed'>, policy: Policy): Step {
  // It is not sent any more.
  if (event.failure.code === 'CLOSED') return step({ ...state, activity: { kind: 'closed' } })
  const told = notice({ type: 'detached', failure: event.failure })
  const next = withTrouble(state, { storeFailures: state.trouble.storeFailures + 1, failure: event.failure })
  const served = usableToken(state, event.now) !== undefined
  // What is used up by its fetch is never fetched out of the others' sight.
  if (served || !event.waiting || state.closing || rotates(policy)) return prepend([told], step(detach(next, event)))
  const { token } = state
  const rejectedValues = token !== undefined && token.version <= state.rejected ? [token.value] : []
  return prepend([told], startFetch(next, event, policy, { attempt: event.attempt, rejectedValues, previous: token }))
}

function tooLate(): TokenError {
  return new TokenError('STORE_UNAVAILABLE', "The store's grant arrived when its lease was all but over. It is claimed again shortly.", {
    retryable: true,
  })
}

function lowFence(): TokenError {
  return new TokenError(
    'STORE_INCOMPATIBLE',
    'The store granted a fence that is not above the newest version this process has seen. Update the store package.',
    { retryable: true },
  )
}

function endedFresh(): TokenError {
  return new TokenError(
    'STORE_INCOMPATIBLE',
    "The store calls a value fresh that has ended by this node's clocks. Compare the store's clock with this node's.",
    {
      retryable: true,
    },
  )
}

function unreadableFailure(): TokenError {
  return new TokenError('FETCH_FAILED', 'Another process failed to fetch this credential and left no readable reason.', { retryable: true })
}
