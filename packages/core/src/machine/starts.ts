/** What begins an activity; the reactions to events are beside this file and choose among these. @module */
import type { TokenError } from '../errors.ts'
import type { Moment, Step } from './happenings.ts'
import { backoffMs, DEPENDENCY_MS, LAST_CALL_MS, leaseMs, type Policy, rotates } from './policy.ts'
import { type Activity, type Errand, type Held, IDLE, isDue, type State, spentVersion, usableToken } from './state.ts'
import { notice, prepend, settle, step } from './step.ts'
import { withTrouble } from './trouble.ts'

/** Re-reads without hints grow from the first to the second of these; with hints they are an insurance. Milliseconds. */
export const FIRST_REREAD_MS = 25
const LONGEST_REREAD_MS = 500
const INSURANCE_REREAD_MS = 2_000
/** Spread of the claims after somebody's lease or failure is over, milliseconds. */
const SPREAD_MS = 100
/** Probes of a store that is down, and repeats of a publication whose outcome is unknown, milliseconds. */
const FIRST_PROBE_MS = 1_000
const LONGEST_PROBE_MS = 30_000

type Publishing = Extract<Activity, { kind: 'publishing' }>
type Following = Extract<Activity, { kind: 'following' }>

export function startClaim(state: State, event: Moment, policy: Policy): Step {
  const attempt = state.trouble.unanswered ?? state.attempts + 1
  if (state.closing) return step(state)
  const spent = spentVersion(state, event.now, policy)
  const { seen } = state
  const activity: Activity = { kind: 'claiming', attempt, spent, seen, unheard: event.hints !== 'on' }
  const next: State = { ...state, attempts: Math.max(state.attempts, attempt), hinted: false, activity }
  return step(next, {
    type: 'claim',
    attempt,
    leaseMs: leaseMs(policy),
    seen,
    rejected: spent,
  })
}

/** An idle machine with a caller that cannot be served, or should get something newer, claims; else things stay as they are. */
export function carryOn(given: State, event: Moment, policy: Policy): Step {
  const state = revive(given, event)
  if (state.activity.kind !== 'idle' || !event.waiting || state.reading || state.trouble.rejecting !== undefined) return step(state)
  const served = usableToken(state, event.now) !== undefined && !isDue(state, event.now)
  return served ? step(state) : startClaim(state, event, policy)
}

export function startRead(state: State): Step {
  return state.reading ? step(state) : step({ ...state, reading: true, hinted: false }, { type: 'read' })
}

/** Asks the upstream, with the lease in hand or, without one, because the store is down. */
export function startFetch(state: State, event: Moment, policy: Policy, errand: Errand): Step {
  const { attempt, grant, previous } = errand
  const latest = event.now + policy.requestTimeoutMs
  return step(
    { ...state, activity: { kind: 'fetching', ...errand } },
    {
      type: 'fetch',
      attempt,
      deadline: grant === undefined ? latest : Math.min(grant.deadline, latest),
      graceMs: rotates(policy) ? LAST_CALL_MS : 0,
      detached: grant === undefined,
      previous,
    },
  )
}

export function startPublish(state: State, token: Held, publication: Omit<Publishing, 'kind' | 'retryAt'>): Step {
  const { attempt, fence, quietMs, basedOn, tries } = publication
  // Of a token in doubt only that is worth storing which renews it: nobody is to serve it.
  const { renewAt, expiresAt } = token.trusted ? token : { renewAt: Number.NEGATIVE_INFINITY, expiresAt: Number.NEGATIVE_INFINITY }
  return step(
    { ...state, activity: { kind: 'publishing', attempt, fence, quietMs, basedOn, tries } },
    { type: 'publish', attempt, fence, value: token.value, renewAt, expiresAt, quietMs, basedOn },
  )
}

/** Waits as after so many failures in a row. */
export function cool(state: State, event: Moment, policy: Policy, failure: TokenError, failures: number): Step {
  const waitMs = backoffMs(failures, event.chance, failure, policy)
  return step(
    { ...withTrouble(state, { failure }), activity: { kind: 'cooling', retryAt: event.now + waitMs, failure } },
    notice({ type: 'backoff', retryInMs: waitMs, failure, shared: false }),
  )
}

/** What a fetch needs has not come. That is no failed fetch; but what is asked for without end is not looked for at the same pace for ever. */
export function waitedInVain(state: State, event: Moment, policy: Policy, failure: TokenError): Step {
  const waits = state.trouble.waits + 1
  return cool(withTrouble(state, { waits }), event, policy, failure, waits)
}

/** A fetch that brought nothing to share: the fleet, or without the store this process, waits before the next one. */
export function shareFailure(state: State, event: Moment, policy: Policy, { attempt, grant }: Errand, failure: TokenError): Step {
  const failures = state.trouble.failures + 1
  const cooled = cool(withTrouble(state, { failures }), event, policy, failure, failures)
  const waitMs = cooled.state.activity.kind === 'cooling' ? cooled.state.activity.retryAt - event.now : 0
  return prepend(settle(attempt, grant, { backoffMs: waitMs, failure }), cooled)
}

/** Something else has to be there first. It is waited for without a lease, and not at all by a machine that is to end: that might be for ever. */
export function blocked(state: State, event: Moment, failure: TokenError): Step {
  if (state.closing) return step({ ...state, activity: { kind: 'closed' } })
  return step(
    { ...withTrouble(state, { failure }), activity: { kind: 'blocked', giveUpAt: event.now + DEPENDENCY_MS, failure } },
    notice({ type: 'blocked', failure }),
    { type: 'await-dependency' },
  )
}

export function detach(state: State, event: Moment): State {
  return { ...state, activity: { kind: 'detached', probeAt: event.now + probeMs(state.trouble.storeFailures, event.chance) } }
}

/** Nobody asks for the token: when it is due it is left to lapse, until then its renewal is still to be decided. */
export function lapse(state: State, event: Moment): State {
  return { ...state, activity: { kind: 'idle', lapsed: isDue(state, event.now) } }
}

/** A lapsed token that was replaced by a newer one is renewed again when that one is due. */
function revive(state: State, event: Moment): State {
  const { activity } = state
  return activity.kind === 'idle' && activity.lapsed && !isDue(state, event.now) ? { ...state, activity: IDLE } : state
}

/** When to claim what another's lease or failure keeps until `end`: not all who wait for that in the same moment. */
export function afterOthers(event: Moment, end: number): number {
  return Math.max(end, event.now) + event.chance * SPREAD_MS
}

export function follow(event: Moment, leaseEnd: number): Following {
  const leaseEndsAt = afterOthers(event, leaseEnd)
  return nextReread({ kind: 'following', leaseEndsAt, rereadAt: leaseEndsAt, rereads: 0 }, event)
}

export function nextReread(activity: Following, event: Moment): Following {
  // Nobody waits: the lease's end is soon enough.
  if (!event.waiting) return { ...activity, rereadAt: activity.leaseEndsAt }
  const growing = Math.min(LONGEST_REREAD_MS, FIRST_REREAD_MS * 2 ** Math.min(activity.rereads, 10))
  const gap = event.hints === 'on' ? INSURANCE_REREAD_MS : growing * (0.5 + event.chance / 2)
  return { ...activity, rereadAt: event.now + gap, rereads: activity.rereads + 1 }
}

export function probeMs(failures: number, chance: number): number {
  return Math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(Math.max(failures - 1, 0), 10)) * (0.5 + chance / 2)
}

/** A token fetched without the store that is still worth sharing. */
export function isUnpublished(state: State, now: number): boolean {
  return state.token?.published === false && usableToken(state, now) !== undefined && !isDue(state, now)
}
