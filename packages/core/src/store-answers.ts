/**
 * What a store answers, before anybody believed any of it. Each function gives a copy that holds nothing but what the contract names, or
 * throws: whoever asked says what was asked.
 *
 * @module
 */
import type { Claim, Publication, Snapshot, StoreChange } from './store.ts'

/** `key`: of the record that was asked for. Another's value must not be taken for its own. */
export function snapshotOf(key: string, answer: unknown): Snapshot {
  const { key: its, version, value, renewInMs, expiresInMs, rejectedUpTo, lease, backoff } = fieldsOf(answer)
  if (its !== key) throw new TypeError('key')
  return {
    key,
    version: count(version),
    ...(value === undefined ? {} : { value: text(value) }),
    renewInMs: duration(renewInMs),
    expiresInMs: duration(expiresInMs),
    rejectedUpTo: count(rejectedUpTo),
    ...(lease === undefined ? {} : { lease: { expiresInMs: duration(fieldsOf(lease).expiresInMs) } }),
    ...(backoff === undefined ? {} : { backoff: backoffOf(backoff) }),
  }
}

export function claimOf(key: string, answer: unknown): Claim {
  const { kind, fence, takeover, snapshot: its } = fieldsOf(answer)
  const snapshot = snapshotOf(key, its)
  const leased = snapshot.lease !== undefined && snapshot.lease.expiresInMs > 0
  if (kind === 'granted' && leased) return { kind, fence: count(fence), takeover: takeover === true, snapshot }
  if (kind === 'held' && leased) return { kind, snapshot }
  if (kind === 'fresh' && snapshot.value !== undefined) return { kind, snapshot }
  if (kind === 'backoff' && snapshot.backoff !== undefined) return { kind, snapshot }
  throw new TypeError('kind')
}

export function publicationOf(key: string, answer: unknown): Publication {
  const { kind, snapshot: its } = fieldsOf(answer)
  const snapshot = snapshotOf(key, its)
  if (kind === 'accepted' || kind === 'superseded' || kind === 'refused') return { kind, snapshot }
  throw new TypeError('kind')
}

/** A hint; undefined when it is none. Never throws: a store that tells one would get it back. */
export function changeOf(change: unknown): StoreChange | undefined {
  try {
    const { kind, key, version } = fieldsOf(change)
    if (kind === 'gap') return { kind }
    return kind === 'changed' ? { kind, key: text(key), version: count(version) } : undefined
  } catch {
    return undefined
  }
}

function backoffOf(answer: unknown): NonNullable<Snapshot['backoff']> {
  const { retryInMs, failure, failures } = fieldsOf(answer)
  return { retryInMs: duration(retryInMs), failure: text(failure), failures: count(failures) }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new TypeError('no object')
  return value as Record<string, unknown>
}

function count(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError('no count')
}

function duration(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new TypeError('no duration')
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError('no text')
}
