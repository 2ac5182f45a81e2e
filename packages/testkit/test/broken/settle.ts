import { type Defects, type Rules, rules, type StoredRecord } from './broken-store.ts'

type SettleRule = Rules['settle']
type InvalidateRule = Rules['invalidate']

/** Changes what a settlement that did something writes. */
function afterSettled(change: (written: StoredRecord, before: StoredRecord, backoffMs: number) => StoredRecord): {
  rules: { settle: SettleRule }
} {
  return {
    rules: {
      settle: (record, attempt, fence, request, now) => {
        const written = rules.settle(record, attempt, fence, request, now)
        return written === record ? record : change(written, record, request.backoffMs)
      },
    },
  }
}

/** Settles as if by the holder, where `wrong` says so. */
function impersonating(wrong: (record: StoredRecord, attempt: string, fence: number, now: number) => boolean): {
  rules: { settle: SettleRule }
} {
  return {
    rules: {
      settle: (record, attempt, fence, request, now) => {
        const { lease } = record
        if (lease === undefined || !wrong(record, attempt, fence, now)) return rules.settle(record, attempt, fence, request, now)
        const alive = { ...record, lease: { ...lease, end: { at: now + 1, length: 1 } } }
        return rules.settle(alive, lease.owner, lease.fence, request, now)
      },
    },
  }
}

function invalidating(invalidate: InvalidateRule): { rules: { invalidate: InvalidateRule } } {
  return { rules: { invalidate } }
}

const dropQuiet = (record: StoredRecord): StoredRecord => {
  if (record.published?.quiet === undefined) return record
  const { quiet: _, ...published } = record.published
  return { ...record, published }
}

export const settleDefects: Defects = {
  'settle: the lease is released': {
    ...afterSettled((written, before, backoffMs) => (backoffMs > 0 ? written : before)),
    also: [
      'takeover: the lease after one that was settled is no takeover',
      'fence: a fence is above the one before',
      'subscribe: a release is announced',
    ],
  },
  'settle: without a backoff no failure is shared': afterSettled((written, _, backoffMs) =>
    backoffMs > 0 || written.backoff ? written : { ...written, backoff: { retry: { at: 0, length: 0 }, failure: '', failures: 1 } },
  ),
  'settle: a failure is shared with the time to the retry and what failed': {
    ...afterSettled((written) => (written.backoff ? { ...written, backoff: { ...written.backoff, failure: '' } } : written)),
    also: ['value: a failure of any Unicode comes back as it was', 'settle: a release without a failure keeps the backoff and its count'],
  },
  'settle: failures are counted': afterSettled((written) =>
    written.backoff ? { ...written, backoff: { ...written.backoff, failures: 1 } } : written,
  ),
  'settle: the backoff is that of the last failure, with its configuration': afterSettled((written, { backoff }) =>
    written.backoff && backoff?.config !== undefined ? { ...written, backoff: { ...written.backoff, config: backoff.config } } : written,
  ),
  'settle: a release without a failure keeps the backoff and its count': afterSettled((written, _, backoffMs) => {
    const { backoff, ...rest } = written
    return backoffMs > 0 ? written : rest
  }),
  'settle: the backoff and its count can be seen after the retry is due': {
    rules: {
      snapshot: (key, record, now) => {
        const { backoff, ...rest } = rules.snapshot(key, record, now)
        return backoff === undefined || (record.backoff?.retry.at ?? 0) <= now ? rest : { ...rest, backoff }
      },
    },
    also: ['settle: a release without a failure keeps the backoff and its count', 'read: reading changes nothing'],
  },
  "settle: another attempt's lease is not released": impersonating((record, attempt) => record.lease?.owner !== attempt),
  'settle: a lease of another fence is not released': impersonating(
    (record, attempt, fence) => record.lease?.owner === attempt && record.lease.fence !== fence,
  ),
  'settle: a lease that ran out shares no failure': impersonating(
    (record, attempt, _, now) => record.lease?.owner === attempt && record.lease.end.at <= now,
  ),
  'settle: a failure delivered twice is counted once': {
    rules: {
      settle: (record, attempt, fence, request, now) => {
        const { lease, backoff } = record
        const again = lease === undefined && backoff !== undefined && request.backoffMs > 0
        return again
          ? { ...record, backoff: { ...backoff, failures: backoff.failures + 1 } }
          : rules.settle(record, attempt, fence, request, now)
      },
    },
    also: ['concurrency: many failures of one lease at once are counted once'],
  },
  'settle: the value stays': {
    around: (instance) => ({
      ...instance,
      async settle(...args) {
        const { value: _, ...snapshot } = await instance.settle(...args)
        return snapshot
      },
    }),
  },
}

export const invalidateDefects: Defects = {
  'invalidate: the stored version is rejected': {
    ...invalidating((record, version, now) => (version === record.published?.version ? record : rules.invalidate(record, version, now))),
    also: [
      'claim: a value that was invalidated is not fresh',
      'publish again: it does not make the value quiet',
      'invalidate: what a fetch in flight brings is rejected too',
      'invalidate: a version that is rejected already rejects no more than before',
      'invalidate: the stored version after its quiet time is rejected',
      'invalidate: a publication without a quiet time ends the one before',
      'subscribe: an invalidation is announced',
      'clock set back: a quiet time whose end is further away than it is long is over',
    ],
  },
  'invalidate: a version below the stored one changes nothing': {
    ...invalidating((record, version, now) => rules.invalidate(record, Math.max(version, record.published?.version ?? 0), now)),
    also: ['subscribe: an invalidation that changed nothing is not announced'],
  },
  'invalidate: a version above the stored one is rejected': invalidating((record, version, now) => {
    const { published } = record
    return published && !published.quiet && version > published.version && version < published.version + 1000
      ? record
      : rules.invalidate(record, version, now)
  }),
  'invalidate: a version of an unknown key is rejected': invalidating((record, version, now) =>
    record.fence === 0 && Number.isSafeInteger(version) ? record : rules.invalidate(record, version, now),
  ),
  'invalidate: what a fetch in flight brings is rejected too': invalidating((record, version, now) => {
    const invalidated = rules.invalidate(record, version, now)
    return invalidated === record ? record : { ...invalidated, rejectedUpTo: version }
  }),
  'invalidate: a version that is rejected already rejects no more than before': invalidating((record, version, now) =>
    rules.invalidate(record.rejectedUpTo >= version && version > 0 ? { ...record, rejectedUpTo: 0 } : record, version, now),
  ),
  'invalidate: a live lease is left alone': invalidating((record, version, now) => {
    const { lease, ...rest } = rules.invalidate(record, version, now)
    return lease ? rest : rules.invalidate(record, version, now)
  }),
  'invalidate: the stored version within its quiet time changes nothing': {
    ...invalidating((record, version, now) => rules.invalidate(dropQuiet(record), version, now)),
    also: ['invalidate: the quiet time counts from the acceptance'],
  },
  'invalidate: the stored version after its quiet time is rejected': invalidating((record, version, now) =>
    record.published?.quiet && version === record.published.version && record.published.quiet.at <= now
      ? record
      : rules.invalidate(record, version, now),
  ),
  'invalidate: a version above the stored one is rejected also within the quiet time': invalidating((record, version, now) =>
    record.published?.quiet && version > record.published.version ? record : rules.invalidate(record, version, now),
  ),
  'fence: a version that is no safe integer is not invalidated': invalidating((record, version, now) =>
    Number.isSafeInteger(version) ? rules.invalidate(record, version, now) : record,
  ),
}
