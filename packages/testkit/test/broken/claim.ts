import { atTheStartOfThisTurn, type Defects, type Lease, type Rules, rules, type StoredRecord } from './broken-store.ts'

type ClaimRule = Rules['claim']

/** Changes the lease of a new grant; `record` is the one before. */
function onGrant(change: (lease: Lease, record: StoredRecord, args: Parameters<ClaimRule>) => Lease): ClaimRule {
  return (...args) => {
    const claimed = rules.claim(...args)
    if (claimed.kind !== 'granted' || claimed.record === args[0]) return claimed
    const lease = change(claimed.lease, args[0], args)
    return { kind: 'granted', record: { ...claimed.record, fence: lease.fence, lease }, lease }
  }
}

/** Changes the lease that is granted to its holder again. */
function onGrantAgain(change: (lease: Lease, args: Parameters<ClaimRule>) => Lease): ClaimRule {
  return (...args) => {
    const claimed = rules.claim(...args)
    if (claimed.kind !== 'granted' || claimed.record !== args[0]) return claimed
    const lease = change(claimed.lease, args)
    return { kind: 'granted', record: { ...claimed.record, lease }, lease }
  }
}

/** Answers as for another record, if the answer for that one is of this kind. */
function preferring(kind: 'fresh' | 'backoff' | 'held', other: (record: StoredRecord, now: number) => StoredRecord): ClaimRule {
  return (record, attempt, request, now) => {
    const claimed = rules.claim(other(record, now), attempt, request, now)
    return claimed.kind === kind ? { kind, record } : rules.claim(record, attempt, request, now)
  }
}

/** Claims as if there were no backoff, where `overlooked` says so. */
function overlooking(overlooked: (failed: string | undefined, own: string | undefined) => boolean): ClaimRule {
  return (record, attempt, request, now) => {
    const { backoff, ...rest } = record
    if (backoff === undefined || !overlooked(backoff.config, request.config)) return rules.claim(record, attempt, request, now)
    const claimed = rules.claim(rest, attempt, request, now)
    return { ...claimed, record: { ...claimed.record, backoff } }
  }
}

const without =
  (part: 'lease' | 'published' | 'backoff') =>
  ({ [part]: _, ...rest }: StoredRecord): StoredRecord =>
    rest

const later = (now: number) => ({ at: now + 1, length: 1 })

export const claimDefects: Defects = {
  'claim: a grant says how long its lease is': {
    around: (instance) => ({
      ...instance,
      async claim(...args) {
        const claim = await instance.claim(...args)
        const { lease } = claim.snapshot
        if (claim.kind !== 'granted' || lease === undefined) return claim
        return { ...claim, snapshot: { ...claim.snapshot, lease: { expiresInMs: lease.expiresInMs / 2 } } }
      },
    }),
  },
  'claim: the attempt that holds the live lease is granted it again, with the same fence': {
    rules: { claim: onGrantAgain((lease) => ({ ...lease, fence: lease.fence + 1 })) },
    also: ['concurrency: the same claim many times at once is one grant'],
  },
  'claim: a lease granted again is not extended': {
    rules: {
      claim: onGrantAgain((lease, [, , { leaseMs }, now]) => ({ ...lease, end: { at: now + leaseMs * 1000, length: leaseMs * 1000 } })),
    },
  },
  "claim: an attempt's own live lease comes before a fresh value": { rules: { claim: preferring('fresh', without('lease')) } },
  "claim: an attempt's own live lease comes before a backoff": { rules: { claim: preferring('backoff', without('lease')) } },
  'claim: attempts that differ by case are different attempts': {
    around: (instance) => ({
      ...instance,
      claim: (key, attempt, ...args) => instance.claim(key, attempt.toLowerCase(), ...args),
    }),
  },
  'claim: a value that is not due for renewal is fresh': {
    around: (instance) => ({
      ...instance,
      async claim(...args) {
        const claim = await instance.claim(...args)
        if (claim.kind !== 'fresh') return claim
        const { value: _, ...snapshot } = claim.snapshot
        return { ...claim, snapshot }
      },
    }),
  },
  'claim: a value that is due for renewal is not fresh': {
    rules: {
      claim: preferring('fresh', (record, now) => ({
        ...record,
        ...(record.published && record.published.renewal.at <= now && { published: { ...record.published, renewal: later(now) } }),
      })),
    },
    also: ['fence: a fence is above everything published'],
  },
  'claim: a value below the highest version the caller has seen is not fresh': {
    rules: {
      claim: (record, attempt, request, now) => {
        const { kind } = rules.claim(record, attempt, { ...request, seen: 0 }, now)
        return kind === 'fresh' ? { kind, record } : rules.claim(record, attempt, request, now)
      },
    },
  },
  'claim: a value of just the highest version the caller has seen is fresh': {
    rules: {
      claim: (record, attempt, request, now) => rules.claim(record, attempt, { ...request, seen: request.seen + 1 }, now),
    },
  },
  'claim: a value that the caller knows to be rejected is not fresh': {
    rules: {
      claim: (record, attempt, request, now) => {
        const { kind } = rules.claim(record, attempt, { ...request, rejected: 0 }, now)
        return kind === 'fresh' ? { kind, record } : rules.claim(record, attempt, request, now)
      },
    },
  },
  'claim: a value that was invalidated is not fresh': {
    rules: { claim: preferring('fresh', (record) => ({ ...record, rejectedUpTo: 0 })) },
  },
  'claim: a fresh value comes before a backoff': { rules: { claim: preferring('backoff', without('published')) } },
  "claim: a fresh value comes before another attempt's live lease": { rules: { claim: preferring('held', without('published')) } },
  "claim: a backoff comes before another attempt's live lease": { rules: { claim: preferring('held', without('backoff')) } },
  'claim: a backoff in force holds back a caller with the configuration that failed': {
    rules: { claim: overlooking((failed, own) => failed !== undefined && failed === own) },
    also: [
      "claim: a backoff comes before another attempt's live lease",
      'settle: the backoff is that of the last failure, with its configuration',
    ],
  },
  'claim: a backoff in force holds back a caller that names no configuration': {
    rules: { claim: overlooking((failed, own) => failed !== undefined && own === undefined) },
  },
  'claim: a backoff that names no configuration holds back everybody': {
    rules: { claim: overlooking((failed, own) => failed === undefined && own !== undefined) },
  },
  'claim: a backoff does not hold back a caller with another configuration': {
    rules: { claim: (record, attempt, { config: _, ...request }, now) => rules.claim(record, attempt, request, now) },
    also: [
      "claim: an attempt's own live lease comes before a backoff",
      "claim: a backoff comes before another attempt's live lease",
      'settle: the backoff is that of the last failure, with its configuration',
    ],
  },
  'claim: a backoff that is due holds back nobody': {
    rules: {
      claim: preferring('backoff', (record, now) => ({
        ...record,
        ...(record.backoff && record.backoff.retry.at <= now && { backoff: { ...record.backoff, retry: later(now) } }),
      })),
    },
  },
  "claim: another attempt's live lease is answered with the time it has left": {
    around: (instance) => ({
      ...instance,
      async claim(...args) {
        const claim = await instance.claim(...args)
        if (claim.kind !== 'held') return claim
        const { lease: _, ...snapshot } = claim.snapshot
        return { ...claim, snapshot }
      },
    }),
  },
  'claim: a claim that is held changes nothing': {
    rules: {
      claim: (record, attempt, request, now) => {
        const claimed = rules.claim(record, attempt, request, now)
        if (claimed.kind !== 'held' || record.lease === undefined) return claimed
        const length = request.leaseMs * 1000
        return { kind: 'held', record: { ...record, lease: { ...record.lease, end: { at: now + length, length } } } }
      },
    },
    also: ["claim: another attempt's live lease is answered with the time it has left"],
  },
  'claim: a lease that ran out holds back nobody': {
    rules: {
      claim: (record, attempt, request, now) => {
        const runOut = record.lease !== undefined && record.lease.end.at <= now && record.lease.owner !== attempt
        return runOut ? { kind: 'held', record } : rules.claim(record, attempt, request, now)
      },
    },
    also: [
      'takeover: the lease after one that ran out unreleased is a takeover',
      'takeover: a claim that is sent again says once more that it is a takeover',
      'fence: a fence is above one before, also when a smaller one was published since',
    ],
  },

  'takeover: the first lease takes nothing over': {
    rules: { claim: onGrant((lease, { fence }) => (fence === 0 ? { ...lease, takeover: true } : lease)) },
  },
  'takeover: the lease after one that ran out unreleased is a takeover': {
    rules: {
      claim: (record, ...args) => {
        const claimed = rules.claim(record, ...args)
        const again = claimed.kind !== 'granted' || claimed.record === record
        return again ? claimed : { ...claimed, lease: { ...claimed.lease, takeover: false } }
      },
    },
  },
  'takeover: a claim that is sent again says once more that it is a takeover': {
    rules: { claim: onGrantAgain((lease) => ({ ...lease, takeover: false })) },
  },
  'takeover: the lease after one that was settled is no takeover': {
    rules: {
      claim: onGrant((lease, { fence, published }) => (fence > 0 && published === undefined ? { ...lease, takeover: true } : lease)),
    },
  },
  'takeover: the lease after one whose holder published late is no takeover': {
    rules: { claim: onGrant((lease, { published }) => (published ? { ...lease, takeover: true } : lease)) },
  },

  "fence: a fence is the store's clock in microseconds, when nothing is above that": {
    rules: {
      claim: onGrant((lease, { fence }, [, , { seen, rejected }]) => ({ ...lease, fence: Math.max(fence, seen, rejected) + 1 })),
    },
  },
  'fence: a fence is above the one before': {
    rules: {
      claim: onGrant((lease, { published, rejectedUpTo }, [, , { seen, rejected }, now]) => ({
        ...lease,
        fence: Math.max(Math.max(published?.version ?? 0, rejectedUpTo, seen, rejected) + 1, now),
      })),
    },
    also: ['fence: a fence is above one before, also when a smaller one was published since'],
  },
  'fence: a fence is above the highest version the caller has seen': {
    rules: {
      claim: onGrant((lease, { fence }, [, , { rejected }, now]) => ({ ...lease, fence: Math.max(Math.max(fence, rejected) + 1, now) })),
    },
  },
  'fence: a fence is above the highest version the caller knows to be rejected': {
    rules: {
      claim: onGrant((lease, { fence }, [, , { seen }, now]) => ({ ...lease, fence: Math.max(Math.max(fence, seen) + 1, now) })),
    },
  },
  'fence: a fence is above everything published': {
    rules: {
      publish: (record, ...args) => {
        const published = rules.publish(record, ...args)
        return published.record === record ? published : { ...published, record: { ...published.record, fence: record.fence } }
      },
    },
  },
  'fence: a fence is above one before, also when a smaller one was published since': {
    rules: {
      publish: (record, attempt, fence, ...args) => {
        const published = rules.publish(record, attempt, fence, ...args)
        return published.record === record ? published : { ...published, record: { ...published.record, fence } }
      },
    },
  },
  'fence: a fence is above everything rejected': {
    rules: {
      invalidate: (record, ...args) => {
        const invalidated = rules.invalidate(record, ...args)
        return invalidated === record ? record : { ...invalidated, fence: record.fence }
      },
    },
  },
  'fence: a fence that is no safe integer is not granted': {
    rules: {
      claim: (record, attempt, request, now) => {
        const most = Number.MAX_SAFE_INTEGER - 1
        const within = { ...request, seen: Math.min(request.seen, most), rejected: Math.min(request.rejected, most) }
        return rules.claim(record, attempt, within, now)
      },
    },
  },
  'concurrency: of many claims at once exactly one is granted, the others are held': {
    rules: { claim: (record, ...args) => rules.claim(atTheStartOfThisTurn(record), ...args) },
  },
  'concurrency: claims of different keys do not hold each other': {
    around: (instance) => {
      let claimed: string | undefined
      return {
        ...instance,
        async claim(key, ...args) {
          claimed ??= key
          if (key === claimed) return instance.claim(key, ...args)
          const [, , operation] = args
          const [snapshot] = await instance.read([key], operation)
          if (snapshot === undefined) throw new Error('a snapshot for each key')
          return { kind: 'held', snapshot }
        },
      }
    },
  },
}
