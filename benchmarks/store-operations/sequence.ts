import { OPERATIONS, type Operation } from './measured.ts'
import type { Way } from './places.ts'
import { LEASE, patience, type Records, TOKEN } from './records.ts'

/** What each call took, microseconds. */
export type Sequence = Readonly<Record<Operation, readonly number[]>>

/** One after the other, each operation in turn. */
export async function sequence({ store, bare }: Way, records: Records, calls: number): Promise<Sequence> {
  const taken = Object.fromEntries(OPERATIONS.map((name) => [name, []])) as unknown as Record<Operation, number[]>
  const timed = async <T>(name: Operation, call: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const result = await call()
    taken[name].push((performance.now() - begun) * 1_000)
    return result
  }
  for (let each = 0; each < calls; each++) {
    const key = records.newKey()
    const operation = patience()
    await timed('bare', bare)
    const claim = await timed('claim', () => store.claim(key, `${key}.1`, LEASE, operation))
    if (claim.kind !== 'granted') throw new Error(`a claim of a new key was answered ${claim.kind}`)
    const { kind } = await timed('publish', () => store.publish(key, `${key}.1`, claim.fence, TOKEN, operation))
    if (kind !== 'accepted') throw new Error(`a publication was answered ${kind}`)
    records.add(key)
    await timed('read', () => store.read([key], operation))
    const renewal = { ...LEASE, seen: claim.fence, rejected: claim.fence }
    const again = await timed('claim again', () => store.claim(key, `${key}.2`, renewal, operation))
    if (again.kind !== 'granted') throw new Error(`a claim of a token to be renewed was answered ${again.kind}`)
    const renewed = await timed('publish again', () => store.publish(key, `${key}.2`, again.fence, TOKEN, operation))
    if (renewed.kind !== 'accepted') throw new Error(`the publication of a renewal was answered ${renewed.kind}`)
    const hundred = records.anyHundred()
    await timed('read 100', () => store.read(hundred, operation))
  }
  return taken
}
