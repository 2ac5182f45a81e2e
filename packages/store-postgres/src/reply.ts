import type { Snapshot, Version } from '@tokenwell/core'

/** What a statement replied; see sql/reply.sql. */
export interface Reply {
  /** Of the operation; null for a reading. */
  readonly outcome: string | null
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

/** Reads one row of a reply about this key. No row: the key is unknown. */
export function parseReply(key: string, row: unknown): Reply {
  const at = (typeof row === 'object' && row !== null ? row : {}) as Readonly<Record<string, unknown>>
  const text = (column: string): string | undefined => {
    const value = at[column]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string') return value
    throw new Error(`PostgreSQL replied ${typeof value} for ${column}, expected text: does the pool have a parser for text?`)
  }
  const milliseconds = (column: string) => Number(text(column) ?? 0) / 1000
  const version = Number(text('version') ?? 0)
  const leaseInMs = milliseconds('lease_in')
  const failures = Number(text('failures') ?? 0)
  return {
    outcome: text('outcome') ?? null,
    fence: Number(text('lease_fence') ?? 0),
    takeover: text('takeover') === 'true',
    snapshot: {
      key,
      version,
      ...(version !== 0 && { value: text('value') ?? '' }),
      renewInMs: milliseconds('renew_in'),
      expiresInMs: milliseconds('expires_in'),
      rejectedUpTo: Number(text('rejected_up_to') ?? 0),
      ...(leaseInMs > 0 && { lease: { expiresInMs: leaseInMs } }),
      ...(failures > 0 && { backoff: { retryInMs: milliseconds('retry_in'), failure: text('failure') ?? '', failures } }),
    },
  }
}
