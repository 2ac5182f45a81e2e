import type { PublishRequest } from '@tokenwell/core'
import { atTheStartOfThisTurn, type Defect, type Defects, type Rules, rules, type StoredRecord } from './broken-store.ts'

type PublishRule = Rules['publish']
type Answered = ReturnType<PublishRule>

/** What was published before and what is now asked for. */
interface Case {
  readonly record: StoredRecord
  readonly attempt: string
  readonly fence: number
  readonly request: PublishRequest
  readonly now: number
}

/** Changes the answer and what is written. */
function after(change: (answered: Answered, given: Case) => Answered): Defect {
  const publish: PublishRule = (record, attempt, fence, request, now) =>
    change(rules.publish(record, attempt, fence, request, now), { record, attempt, fence, request, now })
  return { rules: { publish } }
}

/** Changes what an accepted publication writes, save one that is delivered again. */
function afterAccepted(change: (written: StoredRecord, given: Case) => StoredRecord): Defect {
  return after((answered, given) => {
    const accepted = answered.kind === 'accepted' && given.record.published?.attempt !== given.attempt
    return accepted ? { ...answered, record: change(answered.record, given) } : answered
  })
}

function afterSuperseded(change: (written: StoredRecord, given: Case) => StoredRecord): Defect {
  return after((answered, given) => (answered.kind === 'superseded' ? { ...answered, record: change(answered.record, given) } : answered))
}

/** Changes what a publication delivered again leaves, which should be nothing. */
function afterRepeated(change: (record: StoredRecord, given: Case) => StoredRecord): Defect {
  return after((answered, given) => {
    const repeated = given.record.published?.attempt === given.attempt
    return repeated ? { ...answered, record: change(answered.record, given) } : answered
  })
}

/** Asks for something else. */
function asking(change: (request: PublishRequest, record: StoredRecord) => PublishRequest): Defect {
  const publish: PublishRule = (record, attempt, fence, request, now) => rules.publish(record, attempt, fence, change(request, record), now)
  return { rules: { publish } }
}

/** Answers something else without looking, where `wrong` says so; a publication delivered again is left alone. */
function answering(kind: Answered['kind'], wrong: (given: Case) => boolean): Defect {
  const publish: PublishRule = (record, attempt, fence, request, now) => {
    const first = record.published?.attempt !== attempt
    if (first && wrong({ record, attempt, fence, request, now })) return { kind, record }
    return rules.publish(record, attempt, fence, request, now)
  }
  return { rules: { publish } }
}

function withDeadline(record: StoredRecord, name: 'renewal' | 'end', from: number, ms: number, length = ms * 1000): StoredRecord {
  return record.published ? { ...record, published: { ...record.published, [name]: { at: from + ms * 1000, length } } } : record
}

const dropLease = ({ lease: _, ...rest }: StoredRecord): StoredRecord => rest
const dropBackoff = ({ backoff: _, ...rest }: StoredRecord): StoredRecord => rest
const keepLease = (written: StoredRecord, { record, now }: Case): StoredRecord =>
  record.lease && record.lease.end.at > now ? { ...written, lease: record.lease } : written
const isBasedOnOlder = ({ record, request }: Case): boolean =>
  (record.published?.version ?? 0) > (request.basedOn ?? Number.POSITIVE_INFINITY)

export const publishDefects: Defects = {
  'publish: a value is stored under its fence as version': {
    around: (instance) => ({
      ...instance,
      async publish(...args) {
        const { kind, snapshot } = await instance.publish(...args)
        const { value: _, ...rest } = snapshot
        return { kind, snapshot: rest }
      },
    }),
  },
  'publish: a newer fence replaces the value': afterAccepted((written, { record }) =>
    record.published && written.published ? { ...written, published: { ...written.published, value: record.published.value } } : written,
  ),
  'publish: an older fence is superseded and changes no value': afterSuperseded((written, { fence, request }) =>
    written.published && fence < written.published.version
      ? { ...written, published: { ...written.published, value: request.value } }
      : written,
  ),
  'publish: the fence of the stored value is superseded': {
    rules: {
      publish: (record, attempt, fence, ...rest) => {
        const equal = record.published !== undefined && record.published.version === fence && record.published.attempt !== attempt
        return rules.publish(equal ? { fence: record.fence, rejectedUpTo: 0 } : record, attempt, fence, ...rest)
      },
    },
  },
  'publish: the newest fence is accepted also when its lease ran out': {
    ...answering('superseded', ({ record, attempt, now }) => record.lease?.owner === attempt && record.lease.end.at <= now),
    also: ['takeover: the lease after one whose holder published late is no takeover'],
  },
  'publish: the newest fence is accepted also while another attempt holds the lease': {
    ...answering('superseded', ({ record, attempt, now }) => {
      const { lease } = record
      return lease !== undefined && lease.owner !== attempt && lease.end.at > now
    }),
    also: [
      "claim: an attempt's own live lease comes before a fresh value",
      'publish: a superseded publication releases the lease of its attempt',
    ],
  },
  'publish: a value derived from an older version than the stored one is superseded': {
    ...asking(({ basedOn: _, ...request }) => request),
  },
  'publish: a value derived from the stored version is accepted': answering(
    'superseded',
    ({ record, request }) => request.basedOn !== undefined && record.published?.version === request.basedOn,
  ),
  'publish: a value derived from a newer version than the stored one is accepted': answering(
    'superseded',
    ({ record, request }) => request.basedOn !== undefined && (record.published?.version ?? 0) < request.basedOn,
  ),
  "publish: a fence further ahead of the store's clock than maxAheadMs is refused and changes nothing": after((answered) =>
    answered.kind === 'refused' ? { ...answered, kind: 'superseded' } : answered,
  ),
  "publish: a fence ahead of the store's clock by no more than maxAheadMs is accepted": asking((request) =>
    request.maxAheadMs === undefined ? request : { ...request, maxAheadMs: 0 },
  ),
  "publish: a fence any time ahead of the store's clock is accepted without maxAheadMs": {
    ...asking((request) => ({ maxAheadMs: 86_400_000, ...request })),
    also: ['fence: the smallest and the largest fence are published, digit for digit'],
  },
  'publish: superseded comes before refused': answering(
    'refused',
    ({ fence, now, request }) => request.maxAheadMs !== undefined && fence - now > request.maxAheadMs * 1000,
  ),
  'publish: the time to renewal counts from the grant': afterAccepted((written, { fence, now, request }) =>
    fence < now ? withDeadline(written, 'renewal', now, request.renewInMs) : written,
  ),
  'publish: the time to the end counts from the grant': afterAccepted((written, { fence, now, request }) =>
    fence < now ? withDeadline(written, 'end', now, request.expiresInMs) : written,
  ),
  "publish: the time to renewal counts from now when the fence is ahead of the store's clock": afterAccepted(
    (written, { fence, now, request }) =>
      fence > now && request.renewInMs > 0 ? withDeadline(written, 'renewal', fence, request.renewInMs, Number.POSITIVE_INFINITY) : written,
  ),
  "publish: the time to the end counts from now when the fence is ahead of the store's clock": afterAccepted(
    (written, { fence, now, request }) =>
      fence > now ? withDeadline(written, 'end', fence, request.expiresInMs, Number.POSITIVE_INFINITY) : written,
  ),
  'publish: a life of ten years is a life like any other': asking((request) => ({
    ...request,
    expiresInMs: Math.min(request.expiresInMs, 2 ** 31 - 1),
  })),
  'publish: a value may be born rejected: it is accepted and stays rejected': afterAccepted((written) => ({ ...written, rejectedUpTo: 0 })),
  'publish: an accepted publication clears the backoff and its count': afterAccepted((written, { record }) =>
    record.backoff ? { ...written, backoff: record.backoff } : written,
  ),
  'publish: a superseded publication leaves the backoff': afterSuperseded(dropBackoff),
  'publish: an accepted publication releases the lease of its attempt': afterAccepted((written, given) =>
    given.record.lease?.owner === given.attempt ? keepLease(written, given) : written,
  ),
  "publish: an accepted publication leaves another attempt's lease": {
    ...afterAccepted(dropLease),
    also: ["claim: an attempt's own live lease comes before a fresh value"],
  },
  'publish: a superseded publication releases the lease of its attempt': afterSuperseded((written, given) =>
    isBasedOnOlder(given) ? written : keepLease(written, given),
  ),
  'publish: a publication superseded for what it is based on releases the lease of its attempt': afterSuperseded((written, given) =>
    isBasedOnOlder(given) ? keepLease(written, given) : written,
  ),
  "publish: a superseded publication leaves another attempt's lease": afterSuperseded(dropLease),
  'publish: a refused publication leaves the lease of its attempt': after((answered) =>
    answered.kind === 'refused' ? { ...answered, record: dropLease(answered.record) } : answered,
  ),

  'publish again: it is accepted, whatever its fence, its basis and its distance from the clock are now': after((answered, given) =>
    given.record.published?.attempt === given.attempt && isBasedOnOlder(given) ? { ...answered, kind: 'superseded' } : answered,
  ),
  'publish again: it changes neither value nor version': afterRepeated((record, { request }) =>
    record.published && record.published.value !== request.value
      ? { ...record, published: { ...record.published, value: request.value } }
      : record,
  ),
  'publish again: it changes no deadline': afterRepeated((record, { now, request }) =>
    record.published?.renewal.length === request.renewInMs * 1000 ? record : withDeadline(record, 'renewal', now, request.renewInMs),
  ),
  'publish again: it leaves the value rejected': afterRepeated((record) =>
    record.rejectedUpTo > 0 ? { ...record, rejectedUpTo: 0 } : record,
  ),
  'publish again: it does not make the value quiet': afterRepeated((record, { request: { quietMs }, now }) =>
    record.published && quietMs !== undefined
      ? { ...record, published: { ...record.published, quiet: { at: now + quietMs * 1000, length: quietMs * 1000 } } }
      : record,
  ),
  'publish again: it leaves the backoff': afterRepeated((record) => (record.backoff ? dropBackoff(record) : record)),
  'publish again: it leaves the lease, also one of its own attempt': afterRepeated((record) => (record.lease ? dropLease(record) : record)),

  'fence: the smallest and the largest fence are published, digit for digit': {
    rules: {
      publish: (record, attempt, fence, ...rest) => rules.publish(record, attempt, fence === 1 ? 2 : fence, ...rest),
    },
  },
  'fence: a fence that is no positive safe integer is not published': {
    rules: {
      publish: (record, attempt, fence, ...rest) => {
        const rounded = Number.isFinite(fence) ? Math.min(Math.max(1, Math.round(fence)), Number.MAX_SAFE_INTEGER) : 1
        return rules.publish(record, attempt, rounded, ...rest)
      },
    },
  },
  'invalidate: the quiet time counts from the acceptance': afterAccepted((written, { fence, now }) =>
    written.published?.quiet && fence < now
      ? {
          ...written,
          published: { ...written.published, quiet: { ...written.published.quiet, at: fence + written.published.quiet.length } },
        }
      : written,
  ),
  'invalidate: a publication without a quiet time ends the one before': afterAccepted((written, { record }) =>
    written.published && record.published?.quiet
      ? { ...written, published: { quiet: record.published.quiet, ...written.published } }
      : written,
  ),
  'concurrency: of many publications at once the newest stays': {
    rules: { publish: (record, ...args) => rules.publish(atTheStartOfThisTurn(record), ...args) },
  },
}
