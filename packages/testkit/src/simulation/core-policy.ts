import type { Policy } from '@tokenwell/core'
import type { PlayedCredential } from './scenario.ts'

/** Core's defaults. It does not export them: a test holds these against them. */
export const CORE_POLICY: Policy = {
  renewWindowMs: 10 * 60_000,
  renewJitterMs: 3 * 60_000,
  floorMs: 60_000,
  minimumLifeMs: 30_000,
  requestTimeoutMs: 7_000,
  backoffBaseMs: 500,
  backoffCapMs: 60_000,
  fatalBackoffMs: 5 * 60_000,
}

type Governed = Pick<PlayedCredential, 'policy' | 'alwaysMs'>

export function policyOf({ policy }: Governed): Policy {
  return policy === undefined ? CORE_POLICY : { ...CORE_POLICY, ...policy }
}

/** A life of so much is always to be had while nothing is wrong, milliseconds. */
export function alwaysMsOf(credential: Governed): number {
  return credential.alwaysMs ?? policyOf(credential).floorMs
}

/** Core refuses callers who ask for more life than this, milliseconds. */
export function longestMinLifeMs(credential: Governed): number {
  const { renewWindowMs, renewJitterMs } = policyOf(credential)
  return renewWindowMs - renewJitterMs
}

/**
 * A store counts a life from the grant, mostly no more than a lease before the token came: its end may turn out to be so much earlier, milliseconds. A lease
 * is longer than what it is for by a tenth, and that of what is used up by its fetch by the pause of a takeover, too.
 */
export function mostEarlierMs(credential: Governed): number {
  return policyOf(credential).requestTimeoutMs / 0.9 + 4_000
}
