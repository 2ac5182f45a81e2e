import type { Snapshot } from '@tokenwell/core'
import type { RowDataPacket } from 'mysql2/promise'

/** A row as the procedures select it; moments and lengths in microseconds. Numbers may be strings, as the pool is set to return them. */
export interface RecordRow extends RowDataPacket {
  readonly id: Buffer
  readonly version: number
  readonly value: Buffer | null
  readonly renew_at: number
  readonly renew_length: number
  readonly expires_at: number
  readonly expires_length: number
  readonly rejected_up_to: number
  readonly leased: number
  readonly lease_until: number
  readonly lease_length: number
  readonly retry_at: number
  readonly retry_length: number
  readonly failure: Buffer | null
  readonly failures: number
}

/** @param clock of the database, microseconds */
export function snapshotOf(key: string, row: RecordRow | undefined, clock: number): Snapshot {
  if (row === undefined) return { key, version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 }
  const leaseMs = Number(row.leased) === 0 ? 0 : remaining(row.lease_until, row.lease_length, clock)
  return {
    key,
    version: Number(row.version),
    ...(row.value === null ? {} : { value: row.value.toString() }),
    renewInMs: remaining(row.renew_at, row.renew_length, clock),
    expiresInMs: remaining(row.expires_at, row.expires_length, clock),
    rejectedUpTo: Number(row.rejected_up_to),
    ...(leaseMs > 0 ? { lease: { expiresInMs: leaseMs } } : {}),
    ...(Number(row.failures) === 0
      ? {}
      : {
          backoff: {
            retryInMs: remaining(row.retry_at, row.retry_length, clock),
            failure: row.failure?.toString() ?? '',
            failures: Number(row.failures),
          },
        }),
  }
}

/** Milliseconds until a moment, 0 for none. One that lies further ahead than its length has passed: the clock was set back since. */
function remaining(moment: number, length: number, clock: number): number {
  const left = Number(moment) - clock
  return Number(moment) === 0 || left > Number(length) ? 0 : left / 1_000
}
