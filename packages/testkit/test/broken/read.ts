import { type Defects, type Rules, rules, type StoredRecord } from './broken-store.ts'

/** Changes what is told of a record. */
function showing(change: (shown: ReturnType<Rules['snapshot']>, record: StoredRecord, now: number) => ReturnType<Rules['snapshot']>): {
  rules: { snapshot: Rules['snapshot'] }
} {
  return { rules: { snapshot: (key, record, now) => change(rules.snapshot(key, record, now), record, now) } }
}

/** Takes the length out of a deadline, so that it never counts as too far away. */
const endless = <T extends { readonly at: number }>(deadline: T) => ({ ...deadline, length: Number.POSITIVE_INFINITY })

const endlessLease = (record: StoredRecord): StoredRecord =>
  record.lease ? { ...record, lease: { ...record.lease, end: endless(record.lease.end) } } : record
const endlessRetry = (record: StoredRecord): StoredRecord =>
  record.backoff ? { ...record, backoff: { ...record.backoff, retry: endless(record.backoff.retry) } } : record
const endlessPublished =
  (...names: ('renewal' | 'end' | 'quiet')[]) =>
  (record: StoredRecord): StoredRecord => {
    if (record.published === undefined) return record
    const published = { ...record.published }
    for (const name of names) if (published[name]) Object.assign(published, { [name]: endless(published[name]) })
    return { ...record, published }
  }

/** Claims and shows as if by another record. */
function seeing(other: (record: StoredRecord) => StoredRecord): { rules: Partial<Rules> } {
  return {
    rules: {
      claim: (record, ...args) => rules.claim(other(record), ...args),
      snapshot: (key, record, now) => rules.snapshot(key, other(record), now),
    },
  }
}

export const readDefects: Defects = {
  'read: snapshots come in the order of the keys, one for each, also for a key asked for twice': {
    around: (instance) => ({ ...instance, read: (keys, operation) => instance.read([...new Set(keys)], operation) }),
  },
  'read: two hundred records are read in one call': {
    around: (instance) => ({
      ...instance,
      async read(keys, operation) {
        if (keys.length > 100) throw new Error('a batch of more than 100')
        return instance.read(keys, operation)
      },
    }),
  },
  'read: no keys give no snapshots': {
    around: (instance) => ({
      ...instance,
      async read(keys, operation) {
        if (keys.length === 0) throw new Error('syntax error at or near ")"')
        return instance.read(keys, operation)
      },
    }),
  },
  'read: an unknown key is an empty snapshot': showing((shown, { published }) => (published ? shown : { ...shown, renewInMs: Number.NaN })),
  'read: a value that has ended can be read': showing((shown) => {
    const { value: _, ...rest } = shown
    return shown.expiresInMs < 0 ? rest : shown
  }),
  'read: a value that was rejected can be read': showing((shown) => {
    const { value: _, ...rest } = shown
    return shown.rejectedUpTo >= shown.version ? rest : shown
  }),
  'read: durations grow less while time passes': showing((shown) => ({
    ...shown,
    expiresInMs: Math.ceil(shown.expiresInMs / 60_000) * 60_000,
  })),
  'read: a live lease can be seen': {
    around: (instance) => ({
      ...instance,
      async read(...args) {
        const snapshots = await instance.read(...args)
        return snapshots.map(({ lease: _, ...rest }) => rest)
      },
    }),
  },
  'read: a lease that ran out cannot be seen': showing((shown, { lease }, now) =>
    lease && lease.end.at <= now ? { ...shown, lease: { expiresInMs: (lease.end.at - now) / 1000 } } : shown,
  ),
  'read: reading changes nothing': {
    around: (instance) => {
      let release = async (): Promise<unknown> => undefined
      return {
        ...instance,
        async claim(key, attempt, request, operation) {
          const claim = await instance.claim(key, attempt, request, operation)
          if (claim.kind === 'granted') release = () => instance.settle(key, attempt, claim.fence, { backoffMs: 0 }, operation)
          return claim
        },
        async read(...args) {
          await release()
          return instance.read(...args)
        },
      }
    },
  },
}

export const clockStepDefects: Defects = {
  'clock set back: a lease that ends further away than it is long is over': seeing(endlessLease),
  'clock set back: a failure under such a lease is not shared': {
    rules: { settle: (record, ...args) => rules.settle(endlessLease(record), ...args) },
  },
  'clock set back: a renewal that is further away than when it was set is due': seeing(endlessPublished('renewal')),
  'clock set back: a value whose end is further away than when it was set has ended': seeing(endlessPublished('end')),
  'clock set back: a retry that is further away than when it was set is due': seeing(endlessRetry),
  'clock set back: a quiet time whose end is further away than it is long is over': {
    rules: {
      invalidate: (record, ...args) => {
        const other = endlessPublished('quiet')(record)
        const invalidated = rules.invalidate(other, ...args)
        return invalidated === other ? record : invalidated
      },
    },
  },
}
