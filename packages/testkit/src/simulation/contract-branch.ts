import type { Claim, Publication, PublishRequest, SettleRequest, Snapshot, Version } from '@tokenwell/core'

/** Every way through the contract's operations that change something or decide not to; the numbered tests of `TokenStore`, by name. */
export const CONTRACT_BRANCHES = [
  'claim/own-lease',
  'claim/fresh',
  'claim/backoff',
  'claim/held',
  'claim/granted',
  'claim/taken-over',
  'publish/repeated',
  'publish/superseded-by-base',
  'publish/superseded',
  'publish/refused',
  'publish/accepted',
  'settle/ignored',
  'settle/released',
  'settle/backed-off',
  'invalidate/older',
  'invalidate/quiet',
  'invalidate/known',
  'invalidate/rejected',
] as const
export type ContractBranch = (typeof CONTRACT_BRANCHES)[number]

/** What a record said before an operation, and what it says after it, both at the same moment. */
export interface Change {
  readonly before: Snapshot
  readonly after: Snapshot
}

export function claimBranch(answer: Claim, { before }: Change): ContractBranch {
  if (answer.kind !== 'granted') return `claim/${answer.kind}`
  if (before.lease !== undefined) return 'claim/own-lease'
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
