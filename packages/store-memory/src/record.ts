import type { Claim, ClaimRequest, Publication, PublishRequest, SettleRequest, Snapshot, Version } from '@tokenwell/core'

/**
 * One record of the store contract and what each operation makes of it.
 *
 * Everything here is pure: an operation takes a record, its arguments and the time, and returns the next record. It returns the very
 * same record when nothing changes, so that a caller can tell. Times are whole microseconds of the store's clock, the unit of
 * fences, because sums of whole numbers are exact: a deadline must not look further away than it is long by a rounding error.
 *
 * @module
 */

/** A moment together with its distance when it was set. */
export interface Deadline {
  readonly at: number
  readonly length: number
}

export interface Published {
  /** The fence it was published with. */
  readonly version: Version
  /** The attempt that published it. */
  readonly attempt: string
  readonly value: string
  readonly renewal: Deadline
  readonly end: Deadline
  /** Until then the upstream has vouched for the value. */
  readonly quiet?: Deadline
}

/** Stays in the record after it ran out, until it is released or taken over: that is how a takeover is known. */
export interface Lease {
  readonly owner: string
  readonly fence: Version
  readonly end: Deadline
  readonly takeover: boolean
}

/** Stays after the retry is due, until the next accepted publication: it carries the count. */
export interface Backoff {
  readonly retry: Deadline
  readonly failure: string
  readonly failures: number
  readonly config?: string
}

export interface StoredRecord {
  /** The highest fence granted, published or rejected. */
  readonly fence: Version
  readonly rejectedUpTo: Version
  readonly published?: Published
  readonly lease?: Lease
  readonly backoff?: Backoff
}

/** What an unknown key holds. */
export const EMPTY: StoredRecord = { fence: 0, rejectedUpTo: 0 }

const MICROSECONDS = 1000

/** Milliseconds of a clock as the time of this module. */
export const microseconds = (ms: number): number => Math.floor(ms * MICROSECONDS)

/** What the record says at `now`. */
export function snapshot(key: string, record: StoredRecord, now: number): Snapshot {
  const { published, lease, backoff, rejectedUpTo } = record
  return {
    key,
    version: published?.version ?? 0,
    ...(published && { value: published.value }),
    renewInMs: published ? left(published.renewal, now) / MICROSECONDS : 0,
    expiresInMs: published ? left(published.end, now) / MICROSECONDS : 0,
    rejectedUpTo,
    ...(lease && isAhead(lease.end, now) && { lease: { expiresInMs: left(lease.end, now) / MICROSECONDS } }),
    ...(backoff && {
      backoff: { retryInMs: left(backoff.retry, now) / MICROSECONDS, failure: backoff.failure, failures: backoff.failures },
    }),
  }
}

export type Claimed =
  | { readonly kind: Exclude<Claim['kind'], 'granted'>; readonly record: StoredRecord }
  | { readonly kind: 'granted'; readonly record: StoredRecord; readonly lease: Lease }

export function claim(record: StoredRecord, attempt: string, request: ClaimRequest, now: number): Claimed {
  const { lease, backoff } = record
  const leased = lease !== undefined && isAhead(lease.end, now)
  if (leased && lease.owner === attempt) return { kind: 'granted', record, lease }
  if (isFresh(record, request, now)) return { kind: 'fresh', record }
  if (backoff && isAhead(backoff.retry, now) && concerns(backoff, request.config)) return { kind: 'backoff', record }
  if (leased) return { kind: 'held', record }
  const granted: Lease = {
    owner: attempt,
    fence: safeFence(Math.max(Math.max(record.fence, request.seen, request.rejected) + 1, now)),
    end: deadline(now, request.leaseMs),
    takeover: lease !== undefined,
  }
  return { kind: 'granted', record: { ...record, fence: granted.fence, lease: granted }, lease: granted }
}

export interface Answered {
  readonly kind: Publication['kind']
  readonly record: StoredRecord
}

export function publish(record: StoredRecord, attempt: string, fence: Version, request: PublishRequest, now: number): Answered {
  safeFence(fence)
  const version = record.published?.version ?? 0
  if (record.published?.attempt === attempt) return { kind: 'accepted', record }
  if (request.basedOn !== undefined && version > request.basedOn) return { kind: 'superseded', record: released(record, attempt) }
  if (fence <= version) return { kind: 'superseded', record: released(record, attempt) }
  if (request.maxAheadMs !== undefined && fence - now > request.maxAheadMs * MICROSECONDS) return { kind: 'refused', record }
  const granted = Math.min(now, fence)
  const published: Published = {
    version: fence,
    attempt,
    value: request.value,
    renewal: deadline(granted, request.renewInMs),
    end: deadline(granted, request.expiresInMs),
    ...(request.quietMs !== undefined && { quiet: deadline(now, request.quietMs) }),
  }
  const { backoff: _, ...kept } = released(record, attempt)
  return { kind: 'accepted', record: { ...kept, fence: Math.max(record.fence, fence), published } }
}

export function settle(record: StoredRecord, attempt: string, fence: Version, request: SettleRequest, now: number): StoredRecord {
  const { lease, ...kept } = record
  if (lease?.owner !== attempt || lease.fence !== fence || !isAhead(lease.end, now)) return record
  if (!(request.backoffMs > 0)) return kept
  const backoff: Backoff = {
    retry: deadline(now, request.backoffMs),
    failure: request.failure ?? '',
    failures: (record.backoff?.failures ?? 0) + 1,
    ...(request.config !== undefined && { config: request.config }),
  }
  return { ...kept, backoff }
}

export function invalidate(record: StoredRecord, version: Version, now: number): StoredRecord {
  if (!Number.isSafeInteger(version)) throw new RangeError(`a version must be a safe integer, got ${version}`)
  const { published } = record
  if (published && version < published.version) return record
  if (published?.quiet && version === published.version && isAhead(published.quiet, now)) return record
  if (version <= record.rejectedUpTo) return record
  const rejectedUpTo = Math.max(version, record.fence)
  return { ...record, rejectedUpTo, fence: rejectedUpTo }
}

/** Microseconds since everything in the record was over; negative while something is still to come. */
export function overFor(record: StoredRecord, now: number): number {
  const { published, lease, backoff } = record
  const ahead = [published?.end, lease?.end, backoff?.retry].map((each) => (each ? left(each, now) : Number.NEGATIVE_INFINITY))
  return -Math.max(...ahead)
}

function isFresh({ published, rejectedUpTo }: StoredRecord, { seen, rejected }: ClaimRequest, now: number): boolean {
  if (!published) return false
  return isAhead(published.renewal, now) && published.version >= seen && published.version > Math.max(rejectedUpTo, rejected)
}

/** Whether a backoff holds back a caller: not one whose configuration is known to be another than the one that failed. */
function concerns(backoff: Backoff, config: string | undefined): boolean {
  return backoff.config === undefined || config === undefined || backoff.config === config
}

function released(record: StoredRecord, attempt: string): StoredRecord {
  if (record.lease?.owner !== attempt) return record
  const { lease: _, ...kept } = record
  return kept
}

function deadline(from: number, durationMs: number): Deadline {
  const length = microseconds(durationMs)
  return { at: from + length, length }
}

/** Microseconds left. Nothing is left of a deadline that is further away than its length: the clock went back. */
function left(deadline: Deadline, now: number): number {
  const ahead = deadline.at - now
  return ahead > deadline.length ? 0 : ahead
}

function isAhead(deadline: Deadline, now: number): boolean {
  return left(deadline, now) > 0
}

function safeFence(fence: number): Version {
  if (!Number.isSafeInteger(fence) || fence < 1) throw new RangeError(`a fence must be a safe integer of at least 1, got ${fence}`)
  return fence
}
