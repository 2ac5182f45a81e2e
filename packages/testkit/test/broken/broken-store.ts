import type { StoreChange, TokenStore } from '@tokenwell/core'
import type { VirtualClock } from '@tokenwell/testkit'
import { type Rules, storeWith } from '../../../store-memory/src/memory-store.ts'
import type { StoredRecord } from '../../../store-memory/src/record.ts'
import * as rules from '../../../store-memory/src/record.ts'

export type { Lease } from '../../../store-memory/src/record.ts'
export type { Rules, StoredRecord }
export { rules }

/** A way to break the memory store: other rules for its records, or something around one of its instances. */
export interface Defect {
  readonly rules?: Partial<Rules>
  readonly around?: (instance: TokenStore) => TokenStore
  /** Further tests that must fail, because they cannot do without the broken sentence. */
  readonly also?: readonly string[]
}

/** Defects by the test that each must fail. */
export type Defects = Readonly<Record<string, Defect>>

/** Two instances of a store with this defect, over the same records. */
export function brokenStores(clock: VirtualClock, { rules: broken, around = (instance) => instance }: Defect): [TokenStore, TokenStore] {
  const records = storeWith({ ...rules, ...broken }, { clock })
  return [around(instanceOver(records)), around(instanceOver(records))]
}

/** An instance with subscriptions of its own, which closing it ends. */
function instanceOver(records: TokenStore): TokenStore {
  const stops = new Set<() => Promise<void>>()
  return {
    ...records,
    async subscribe(listener: (change: StoreChange) => void) {
      const stop = await records.subscribe?.(listener)
      if (stop === undefined) throw new Error('the memory store can push')
      stops.add(stop)
      return stop
    },
    async close() {
      for (const stop of stops) await stop()
      stops.clear()
    },
  }
}

let start: StoredRecord | undefined

/** What an operation sees that reads the record, and writes it without looking again. Fit for one key at a time. */
export function atTheStartOfThisTurn(record: StoredRecord): StoredRecord {
  if (start !== undefined) return start
  start = record
  queueMicrotask(() => {
    start = undefined
  })
  return record
}
