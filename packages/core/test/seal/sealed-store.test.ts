import type { Claim, Snapshot, TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { expect, test } from 'vitest'
import { IN_CLEAR } from '../../src/seal/keyring.ts'
import { sealedStore } from '../../src/seal/sealed-store.ts'

const HOUR = 3_600_000
const operation = { signal: new AbortController().signal }
const request = { leaseMs: 15_000, rejected: 0, seen: 0 }

/** A store that answers each claim with `fresh` and a snapshot of its own, sealed; and the versions that it was told are rejected. */
function freshWith(snapshot: unknown) {
  const rejected: number[] = []
  const store: TokenStore = {
    ...memoryStore(),
    claim: async (_key, _attempt, request) => {
      rejected.push(request.rejected)
      return { kind: 'fresh', snapshot: snapshot as Snapshot } satisfies Claim
    },
  }
  return { sealed: sealedStore(store, IN_CLEAR, () => {}), rejected }
}

const unreadable = { key: 'k', value: 'tokenwell1.key.AAAA', renewInMs: HOUR, expiresInMs: 2 * HOUR, rejectedUpTo: 0 }

test('what is fresh and cannot be read is claimed once more, as rejected', async () => {
  const { sealed, rejected } = freshWith({ ...unreadable, version: 7 })
  await sealed.claim('k', 'attempt', request, operation)
  expect(rejected).toEqual([0, 7])
})

test.each([undefined, null, Number.NaN, Number.POSITIVE_INFINITY, 1.5, '7'])(
  'what is fresh under the version %s, which is none, is rejected by no claim, and comes to whoever asked as it is',
  async (version) => {
    const { sealed, rejected } = freshWith({ ...unreadable, version })
    const { kind, snapshot } = await sealed.claim('k', 'attempt', request, operation)
    expect(rejected).toEqual([0])
    expect({ kind, version: snapshot.version, value: snapshot.value }).toEqual({ kind: 'fresh', version, value: undefined })
  },
)
