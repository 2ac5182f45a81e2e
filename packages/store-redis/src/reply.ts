import type { Snapshot, Version } from '@tokenwell/core'

/** What a script replied; see scripts/answer.lua. */
export interface Reply {
  readonly kind: string
  /** Of the lease, and so of a grant. */
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

/** The last three are of a backoff. */
const FIELDS = 12
const FIELDS_WITHOUT_BACKOFF = 9

/** Reads a script's reply about this key. */
export function parseReply(key: string, reply: unknown): Reply {
  if (!isFlat(reply) || (reply.length !== FIELDS_WITHOUT_BACKOFF && reply.length !== FIELDS)) {
    throw new Error(
      `Redis replied something else than ${FIELDS_WITHOUT_BACKOFF} or ${FIELDS} strings and numbers: is there a proxy or a client option that changes replies?`,
    )
  }
  const [kind, fence, takeover, publishedAs, value, renewIn, expiresIn, rejectedUpTo, leaseIn, failures, retryIn, failure] = reply
  const version = Number(publishedAs)
  const leaseInMs = milliseconds(leaseIn)
  const snapshot: Snapshot = {
    key,
    version,
    ...(version !== 0 && { value: String(value) }),
    renewInMs: milliseconds(renewIn),
    expiresInMs: milliseconds(expiresIn),
    rejectedUpTo: Number(rejectedUpTo),
    ...(leaseInMs > 0 && { lease: { expiresInMs: leaseInMs } }),
    ...(reply.length === FIELDS && {
      backoff: { retryInMs: milliseconds(retryIn), failure: String(failure), failures: Number(failures) },
    }),
  }
  return { kind: String(kind), fence: Number(fence), takeover: Number(takeover) === 1, snapshot }
}

/** Numbers come as strings too: the largest, and all of them if the client is told so (`stringNumbers`). */
function isFlat(reply: unknown): reply is readonly (string | number)[] {
  return Array.isArray(reply) && reply.every((each) => typeof each === 'string' || typeof each === 'number')
}

function milliseconds(microseconds: string | number | undefined): number {
  return Number(microseconds) / 1000
}
