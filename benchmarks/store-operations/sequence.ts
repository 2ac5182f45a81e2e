import { OPERATIONS, type Operation } from './measured.ts'
import type { Way } from './places.ts'
import { type Claimed, claim, LEASE, patience, publish, type Records, TOKEN } from './records.ts'

/** What each call took, microseconds. */
export type Sequence = Readonly<Record<Operation, readonly number[]>>

/** After so many turns each operation has followed each other once. */
export const ORDERS = OPERATIONS.length - 1

/**
 * The operations in another order each turn: one that leaves the server or this process busy makes the next one slow, and that is not to be the
 * same one each time. A turn goes through the list, round and round, by a step of its own; as many operations as there are have no divisor, so
 * that each step meets all of them.
 */
export function orderOf(turn: number): readonly Operation[] {
  const step = 1 + (turn % ORDERS)
  return OPERATIONS.map((_, place) => OPERATIONS[(place * step) % OPERATIONS.length] as Operation)
}

/** One after the other, each operation once a turn. */
export async function sequence({ store, bare }: Way, records: Records, turns: number): Promise<Sequence> {
  const taken = Object.fromEntries(OPERATIONS.map((name) => [name, []])) as unknown as Record<Operation, number[]>
  const operation = patience()
  // What is claimed in one turn is published in the next, if that comes first there; so any operation can follow any other.
  const claimed: Claimed[] = []
  const published: Claimed[] = []
  const renewing: Claimed[] = []
  const operations: Readonly<Record<Operation, (call: Timed) => Promise<unknown>>> = {
    bare: (timed) => timed(bare),
    async claim(timed) {
      const key = records.newKey()
      claimed.push(await timed(() => claim(store, key, operation)))
    },
    async publish(timed) {
      const own = next(claimed)
      await timed(() => publish(store, own, operation))
      records.add(own.key)
      published.push(own)
    },
    read(timed) {
      const key = records.anyKey()
      return timed(() => store.read([key], operation))
    },
    async 'claim again'(timed) {
      const { key, fence } = next(published)
      const answer = await timed(() => store.claim(key, `${key}.2`, { ...LEASE, seen: fence, rejected: fence }, operation))
      if (answer.kind !== 'granted') throw new Error(`a claim of a token to be renewed was answered ${answer.kind}`)
      renewing.push({ key, fence: answer.fence })
    },
    async 'publish again'(timed) {
      const { key, fence } = next(renewing)
      const { kind } = await timed(() => store.publish(key, `${key}.2`, fence, TOKEN, operation))
      if (kind !== 'accepted') throw new Error(`the publication of a renewal was answered ${kind}`)
    },
    'read 100'(timed) {
      const keys = records.anyHundred()
      return timed(() => store.read(keys, operation))
    },
  }
  const untimed: Timed = (call) => call()
  // So that each operation finds something to do, whatever the order.
  for (const name of ['claim', 'publish', 'claim again', 'claim', 'publish', 'claim'] as const) await operations[name](untimed)
  for (let turn = 0; turn < turns; turn++) {
    for (const name of orderOf(turn)) {
      await operations[name](async (call) => {
        const begun = performance.now()
        const result = await call()
        taken[name].push((performance.now() - begun) * 1_000)
        return result
      })
    }
  }
  return taken
}

type Timed = <T>(call: () => Promise<T>) => Promise<T>

function next(waiting: Claimed[]): Claimed {
  const first = waiting.shift()
  if (first === undefined) throw new Error('there is no record for it')
  return first
}
