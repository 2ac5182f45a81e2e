import type { Claim, Publication, PublishRequest, SettleRequest, Snapshot, TokenStore, Version } from '@tokenwell/core'

/** What a store can be asked that may change a record: an operation that is new in the contract has no branches here, and does not compile. */
type Operation = Exclude<keyof TokenStore, 'contractVersion' | 'capabilities' | 'read' | 'subscribe' | 'close'>

const BRANCHES = {
  claim: ['own-lease', 'fresh', 'backoff', 'held', 'other-config', 'granted', 'taken-over'],
  publish: ['repeated', 'superseded-by-base', 'superseded', 'refused', 'accepted'],
  settle: ['ignored', 'released', 'backed-off'],
  invalidate: ['older', 'quiet', 'known', 'rejected'],
} as const satisfies Readonly<Record<Operation, readonly string[]>>

export type ContractBranch = { [Each in Operation]: `${Each}/${(typeof BRANCHES)[Each][number]}` }[Operation]

/**
 * Every way through the contract's operations that change something or decide not to; the numbered tests of `TokenStore`, by name. The tests
 * of the conformance suite name those that they are about, the simulation counts them, and the models in `proof/` have a transition for each.
 */
export const CONTRACT_BRANCHES = Object.entries(BRANCHES).flatMap(([operation, its]) =>
  its.map((each) => `${operation}/${each}`),
) as readonly ContractBranch[]

/** What a record said before an operation, and what it says after it, both at the same moment. */
export interface Change {
  readonly before: Snapshot
  readonly after: Snapshot
}

export function claimBranch(answer: Claim, { before }: Change): ContractBranch {
  if (answer.kind !== 'granted') return `claim/${answer.kind}`
  if (before.lease !== undefined) return 'claim/own-lease'
  // A backoff in force that held nobody back is another configuration's.
  if ((before.backoff?.retryInMs ?? 0) > 0) return 'claim/other-config'
  return answer.takeover ? 'claim/taken-over' : 'claim/granted'
}

export function publishBranch(kind: Publication['kind'], { basedOn }: PublishRequest, { before, after }: Change): ContractBranch {
  switch (kind) {
    case 'accepted':
      return before.version === after.version && before.version > 0 ? 'publish/repeated' : 'publish/accepted'
    case 'superseded':
      return basedOn !== undefined && before.version > basedOn ? 'publish/superseded-by-base' : 'publish/superseded'
    case 'refused':
      return 'publish/refused'
  }
}

export function settleBranch({ backoffMs }: SettleRequest, change: Change): ContractBranch {
  if (!isChanged(change)) return 'settle/ignored'
  return backoffMs > 0 ? 'settle/backed-off' : 'settle/released'
}

export function invalidateBranch(version: Version, { before, after }: Change): ContractBranch {
  if (version < before.version) return 'invalidate/older'
  if (after.rejectedUpTo !== before.rejectedUpTo) return 'invalidate/rejected'
  return version <= before.rejectedUpTo ? 'invalidate/known' : 'invalidate/quiet'
}

export function isChanged({ before, after }: Change): boolean {
  return JSON.stringify(before) !== JSON.stringify(after)
}
