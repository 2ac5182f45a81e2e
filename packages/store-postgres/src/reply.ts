import type { Snapshot, Version } from '@tokenwell/core'

/** What an operation replied. */
export interface Reply {
  /** Null for a reading. */
  readonly outcome: string | null
  readonly fence: Version
  readonly takeover: boolean
  readonly snapshot: Snapshot
}

/** As sql/reply_of.sql writes it. Moments are microseconds since 1970, by the server's clock. */
type Written = readonly [
  texts: readonly [outcome: string | null, value: string | null, failure: string | null],
  numbers: readonly [
    moment: number,
    version: number | null,
    rejectedUpTo: number | null,
    renewAt: number | null,
    renewLength: number | null,
    expiresAt: number | null,
    expiresLength: number | null,
    leaseUntil: number | null,
    leaseLength: number | null,
    leaseFence: number | null,
    takeover: 0 | 1 | null,
    retryAt: number | null,
    retryLength: number | null,
    failures: number | null,
  ],
]

const TEXTS: Written[0]['length'] = 3
const NUMBERS: Written[1]['length'] = 14

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
  if (!isWritten(from)) {
    throw new Error(
      'a function of the schema replied something else than this version of @tokenwell/store-postgres makes it reply: was it replaced?',
    )
  }
  const [texts, numbers] = from
  const [outcome, value, failure] = texts
  const [moment, version, rejectedUpTo, renewAt, renewLength, expiresAt, expiresLength, ...others] = numbers
  const [leaseUntil, leaseLength, leaseFence, takeover, retryAt, retryLength, failures] = others
  const leaseMs = leftMs(leaseUntil, leaseLength, moment)
  return {
    outcome,
    fence: leaseFence ?? 0,
    takeover: takeover === 1,
    snapshot: {
      key,
      version: version ?? 0,
      ...(version && { value: value ?? '' }),
      renewInMs: leftMs(renewAt, renewLength, moment),
      expiresInMs: leftMs(expiresAt, expiresLength, moment),
      rejectedUpTo: rejectedUpTo ?? 0,
      ...(leaseMs > 0 && { lease: { expiresInMs: leaseMs } }),
      ...(failures !== null && {
        backoff: { retryInMs: leftMs(retryAt, retryLength, moment), failure: failure ?? '', failures },
      }),
    },
  }
}

function isWritten(reply: unknown): reply is Written {
  if (!Array.isArray(reply)) return false
  const [texts, numbers] = reply
  return Array.isArray(texts) && texts.length === TEXTS && Array.isArray(numbers) && numbers.length === NUMBERS
}

/** As sql/remaining.sql: nothing is left of a deadline that is further away than it was when it was set. */
function leftMs(deadline: number | null, length: number | null, moment: number): number {
  if (deadline === null || length === null || deadline - moment > length) return 0
  return (deadline - moment) / 1_000
}
