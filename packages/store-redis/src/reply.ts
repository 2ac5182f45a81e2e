import type { Snapshot, Version } from '@tokenwell/core'

/** What a script replied; see `reply` in scripts/record.lua. */
export interface Reply {
  readonly kind: string
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

const STRINGS = 12

/** Reads a script's reply about this key. */
export function parseReply(key: string, reply: unknown): Reply {
  if (!isStrings(reply) || reply.length !== STRINGS) {
    throw new Error(`Redis replied something else than ${STRINGS} strings: is there a proxy or a client option that changes replies?`)
  }
  const [kind = '', fence, takeover, version, value = '', renewIn, expiresIn, rejectedUpTo, leaseIn, failures, retryIn, failure = ''] =
    reply
  const leaseInMs = milliseconds(leaseIn)
  const snapshot: Snapshot = {
    key,
    version: Number(version),
    ...(version !== '0' && { value }),
    renewInMs: milliseconds(renewIn),
    expiresInMs: milliseconds(expiresIn),
    rejectedUpTo: Number(rejectedUpTo),
    ...(leaseInMs > 0 && { lease: { expiresInMs: leaseInMs } }),
    ...(failures !== '0' && { backoff: { retryInMs: milliseconds(retryIn), failure, failures: Number(failures) } }),
  }
  return { kind, fence: Number(fence), takeover: takeover === '1', snapshot }
}

function isStrings(reply: unknown): reply is readonly string[] {
  return Array.isArray(reply) && reply.every((each) => typeof each === 'string')
}

function milliseconds(microseconds: string | undefined): number {
  return Number(microseconds) / 1000
}
