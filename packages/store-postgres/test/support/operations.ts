import type { Operation } from '@tokenwell/core'

/** An operation that nobody gives up. */
export const patient: Operation = { signal: new AbortController().signal }

export const claim = { leaseMs: 8_000, seen: 0, rejected: 0 }

export const publication = { value: 'a token', renewInMs: 3_600_000, expiresInMs: 7_200_000 }
