import type { Claim, Operation, Publication, Snapshot, TokenStore, Version } from '../store.ts'
import type { Sealing, Unreadable } from './keyring.ts'

/** How many unreadable records are remembered, so that each is told once. */
const REMEMBERED = 1_000

/**
 * A store whose values only those who have the keys can read. It keeps the contract of the store it is made of, and adds to it: a
 * snapshot whose value cannot be read has none, and a claim never answers `fresh` with one.
 *
 * `tell` hears of each unreadable value once.
 */
export function sealedStore(
  store: TokenStore,
  sealing: Sealing,
  tell: (key: string, version: Version, why: Unreadable) => void,
): TokenStore {
  const told = new Map<string, Version>()

  function opened(snapshot: Snapshot): Snapshot {
    // What is no snapshot is refused by whoever asked for it.
    if (typeof snapshot?.value !== 'string') return snapshot
    const { key, version, value: stored, ...rest } = snapshot
    const opening = sealing.open(stored, { key, version })
    if ('value' in opening) return { ...snapshot, value: opening.value }
    if (told.get(key) !== version) {
      if (told.size >= REMEMBERED) told.clear()
      told.set(key, version)
      tell(key, version, opening.unreadable)
    }
    return { key, version, ...rest }
  }

  return {
    contractVersion: store.contractVersion,
    capabilities: store.capabilities,
    async read(keys, operation) {
      const answer = await store.read(keys, operation)
      // As many as were asked for, whatever the store makes of that.
      return keys.map((_, index) => opened(answer?.[index] as Snapshot))
    },
    async claim(key, attempt, request, operation): Promise<Claim> {
      const claim = await store.claim(key, attempt, request, operation)
      const answer = { ...claim, snapshot: opened(claim.snapshot) }
      if (answer.kind !== 'fresh' || answer.snapshot?.value !== undefined || !Number.isSafeInteger(answer.snapshot?.version)) return answer
      // For this process it is as good as rejected. For those who can read it, it is not: the record is left as it is.
      const rejected = Math.max(request.rejected, answer.snapshot.version)
      const again = await store.claim(key, attempt, { ...request, rejected }, operation)
      return { ...again, snapshot: opened(again.snapshot) }
    },
    async publish(key, attempt, fence, request, operation): Promise<Publication> {
      const sealed = { ...request, value: sealing.seal(request.value, { key, version: fence }) }
      const publication = await store.publish(key, attempt, fence, sealed, operation)
      return { ...publication, snapshot: opened(publication.snapshot) }
    },
    async settle(key, attempt, fence, request, operation: Operation) {
      return opened(await store.settle(key, attempt, fence, request, operation))
    },
    async invalidate(key, version, operation) {
      return opened(await store.invalidate(key, version, operation))
    },
    ...(store.subscribe !== undefined && { subscribe: store.subscribe.bind(store) }),
    close: () => store.close(),
  }
}
