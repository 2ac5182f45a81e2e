import type { Snapshot, Version } from '@tokenwell/core'

/** What a question answered; see sql/record.sql. */
export interface Answer {
  readonly kind: string
  /** Of the lease; 0 for none. */
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

/** A row as the driver reads it: integers as BigInt, because a deadline can lie further away than a number counts exactly. */
export type Row = Readonly<Record<string, unknown>>

/** Reads a question's row about this key. */
export function parseRow(key: string, row: Row): Answer {
  const version = integer(row.version)
  const leaseInMs = milliseconds(row.lease_in)
  const failures = integer(row.failures)
  const snapshot: Snapshot = {
    key,
    version,
    ...(version !== 0 && { value: String(row.value) }),
    renewInMs: milliseconds(row.renew_in),
    expiresInMs: milliseconds(row.expires_in),
    rejectedUpTo: integer(row.rejected_up_to),
    ...(leaseInMs > 0 && { lease: { expiresInMs: leaseInMs } }),
    ...(failures !== 0 && { backoff: { retryInMs: milliseconds(row.retry_in), failure: String(row.failure), failures } }),
  }
  return { kind: String(row.kind), fence: integer(row.lease_fence), takeover: integer(row.takeover) === 1, snapshot }
}

/** 0 for null. */
export function integer(value: unknown): number {
  return Number(value ?? 0)
}

function milliseconds(microseconds: unknown): number {
  return integer(microseconds) / 1000
}
