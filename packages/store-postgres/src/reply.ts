import type { Snapshot, Version } from '@tokenwell/core'

/** What an operation replied. */
export interface Reply {
  /** Null for a reading. */
  readonly outcome: string | null
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

/** As sql/reply_of.sql writes it. */
interface Written {
  readonly outcome: string | null
  readonly version: number | null
  readonly value: string | null
  readonly renew_in: number
  readonly expires_in: number
  readonly rejected_up_to: number | null
  readonly lease_in: number
  readonly lease_fence: number | null
  readonly takeover: boolean | null
  readonly failures: number | null
  readonly retry_in: number
  readonly failure: string | null
}

/** The one column of the one row that a function of the store replied with, parsed. */
export function written(rows: readonly unknown[]): unknown {
  const [row] = rows as readonly { readonly reply?: unknown }[]
  // A client may have a parser of its own for text.
  if (typeof row?.reply !== 'string')
    throw new Error(`PostgreSQL replied ${typeof row?.reply}, expected text: does the pool have a parser for text?`)
  try {
    return JSON.parse(row.reply)
  } catch {
    // Why not would show a piece of it, and with that maybe of a value.
    throw new Error('PostgreSQL replied what is no JSON: does the pool have a parser for text?')
  }
}

/** Reads a reply about this key. */
export function parseReply(key: string, from: unknown): Reply {
  const reply = from as Written
  const version = reply.version ?? 0
  return {
    outcome: reply.outcome,
    fence: reply.lease_fence ?? 0,
    takeover: reply.takeover ?? false,
    snapshot: {
      key,
      version,
      ...(version !== 0 && { value: reply.value ?? '' }),
      renewInMs: reply.renew_in / 1000,
      expiresInMs: reply.expires_in / 1000,
      rejectedUpTo: reply.rejected_up_to ?? 0,
      ...(reply.lease_in > 0 && { lease: { expiresInMs: reply.lease_in / 1000 } }),
      ...(reply.failures !== null && {
        backoff: { retryInMs: reply.retry_in / 1000, failure: reply.failure ?? '', failures: reply.failures },
      }),
    },
  }
}
