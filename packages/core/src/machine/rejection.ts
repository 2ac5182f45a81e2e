import type { Version } from '../store.ts'
import { adopt } from './adopt.ts'
import type { Moment, Of, Step } from './happenings.ts'
import type { Policy } from './policy.ts'
import { carryOn, startClaim } from './starts.ts'
import { type State, usableToken } from './state.ts'
import { notice, prepend, step } from './step.ts'
import { withTrouble } from './trouble.ts'

export function rejected(state: State, event: Of<'rejected'>, policy: Policy): Step {
  const { token } = state
  if (token === undefined) return step(state)
  // The same value has come under a newer version since: it is as dead, unless the upstream has vouched for it just now.
  const isTwin = event.value === token.value && event.version < token.version
  if (event.version !== token.version && event.version !== token.formerly && !isTwin) return step(state)
  const { version } = token
  if (version <= state.rejected || state.trouble.rejecting !== undefined) return step(state)
  if (event.now < (token.quietUntil ?? Number.NEGATIVE_INFINITY)) return step(state)
  // The store does not know this version; nobody else can be using it.
  if (state.activity.kind === 'detached' && !token.published) return rejectLocally(state, event, policy, version)
  return step(withTrouble(state, { rejecting: { version, value: token.value } }), { type: 'invalidate', version })
}

export function invalidated(state: State, event: Of<'invalidated'>, policy: Policy): Step {
  const { snapshot, version } = event
  const { rejecting } = state.trouble
  const next = adopt(withTrouble(state, { rejecting: undefined }), event, snapshot, policy)
  // The same dead value under a newer version: somebody fetched it while this report was on its way.
  const twin = snapshot.version > version && snapshot.value === rejecting?.value && snapshot.version > snapshot.rejectedUpTo
  if (twin && version === rejecting?.version) {
    const again = withTrouble(next, { rejecting: { ...rejecting, version: snapshot.version } })
    return step(again, { type: 'invalidate', version: snapshot.version })
  }
  // The fleet has gone on from it, to what may have ended since: nobody but this process is left to go by the report.
  const isOvertaken = snapshot.version > version
  return afterRejection(state, isOvertaken ? { ...next, rejected: Math.max(next.rejected, version) } : next, event, policy)
}

/** Without the store's word a process goes by its own report. */
export function rejectLocally(state: State, event: Moment, policy: Policy, version: Version): Step {
  const { token } = state
  const { rejecting } = state.trouble
  // The same dead value has come under a newer version while the report was on its way, and the upstream has not vouched for it since.
  const isSame = token !== undefined && version === rejecting?.version && token.version > version && token.value === rejecting.value
  const isTwin = isSame && event.now >= (token.quietUntil ?? Number.NEGATIVE_INFINITY)
  const upTo = isTwin ? token.version : version
  const reported = token !== undefined && upTo >= token.version ? token.value : state.trouble.reported
  const noted = withTrouble({ ...state, rejected: Math.max(state.rejected, upTo) }, { reported, rejecting: undefined })
  return afterRejection(state, noted, event, policy)
}

/** A rejection that took the token brings one refetch, unless something is under way that will bring it. */
function afterRejection(before: State, state: State, event: Moment, policy: Policy): Step {
  const lost = usableToken(before, event.now) !== undefined && usableToken(state, event.now) === undefined
  const told = lost ? [notice({ type: 'rejected', version: state.token?.version ?? 0 })] : []
  const free = state.activity.kind === 'idle' || state.activity.kind === 'detached'
  return prepend(told, lost && free ? startClaim(state, event, policy) : carryOn(state, event, policy))
}
