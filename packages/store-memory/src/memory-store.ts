import type { Operation, Snapshot, StoreChange, TokenStore } from '@tokenwell/core'
import * as recordRules from './record.ts'
import { EMPTY, microseconds, overFor, type StoredRecord } from './record.ts'

export interface MemoryStoreOptions {
  /** The store's clock, milliseconds since the Unix epoch. Default: the machine's. */
  readonly clock?: { wall(): number }
}

/** What each operation makes of a record. An argument, so that the conformance suite can be shown stores that break a rule. */
export type Rules = Pick<typeof recordRules, 'snapshot' | 'claim' | 'publish' | 'settle' | 'invalidate'>

export interface MemoryStore extends TokenStore {
  /** Remembers every record as it is. The function it returns puts them all back, as a failover to a replica that lagged would: for tests. */
  checkpoint(): () => void
  /** Forgets one record, as if it had never been, which an eviction or a hand in the database does: for tests. */
  lose(key: string): void
}

/** Records of this process only, gone when it ends: the embedded default, and the executable reference of the store contract. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return storeWith(recordRules, options)
}

/** A record that was over and untouched for this long, 30 days, is forgotten. An ended value may still carry the secret that renews it. */
const FORGOTTEN_AFTER = microseconds(30 * 24 * 60 * 60 * 1000)

/** How many records each write looks at, to forget what is over. More than one, or they could grow as fast as they are looked at. */
const LOOKED_AT = 2

type Listener = (change: StoreChange) => void

interface Entry {
  readonly record: StoredRecord
  readonly writtenAt: number
}

/** A memory store that follows these rules. */
export function storeWith(rules: Rules, { clock = { wall: Date.now } }: MemoryStoreOptions = {}): MemoryStore {
  const entries = new Map<string, Entry>()
  const listeners = new Set<{ readonly listener: Listener }>()
  let round = entries.entries()

  /** Runs one operation as one synchronous step at one moment. */
  async function atomically<T>({ signal }: Operation, step: (now: number) => T): Promise<T> {
    signal.throwIfAborted()
    return step(microseconds(clock.wall()))
  }

  const find = (key: string): StoredRecord => entries.get(key)?.record ?? EMPTY

  /** Returns whether the record is another one now. */
  function write(key: string, next: StoredRecord, now: number): boolean {
    if (next === find(key)) return false
    entries.set(key, { record: next, writtenAt: now })
    for (let looks = 0; looks < LOOKED_AT; looks++) forgetNext(now)
    return true
  }

  function forgetNext(now: number): void {
    const { done, value } = round.next()
    if (done) round = entries.entries()
    else {
      const [key, { record, writtenAt }] = value
      if (Math.min(now - writtenAt, overFor(record, now)) > FORGOTTEN_AFTER) entries.delete(key)
    }
  }

  /**
   * Tells every listener in a microtask of its own, after the operation: what one does concerns neither the operation nor the others. A job
   * of a promise, since test runners put `queueMicrotask` under their fake timers.
   */
  function announce(key: string): void {
    const change: StoreChange = { kind: 'changed', key, version: find(key).published?.version ?? 0 }
    for (const subscription of listeners) {
      void Promise.resolve().then(() => {
        if (!listeners.has(subscription)) return
        try {
          subscription.listener(change)
        } catch {
          // A hint that its listener could not use.
        }
      })
    }
  }

  const show = (key: string, now: number): Snapshot => rules.snapshot(key, find(key), now)

  return {
    contractVersion: 1,
    capabilities: { shared: false, durable: false, push: true },

    read: (keys, operation) => atomically(operation, (now) => keys.map((key) => show(key, now))),

    claim: (key, attempt, request, operation) =>
      atomically(operation, (now) => {
        const claimed = rules.claim(find(key), attempt, request, now)
        write(key, claimed.record, now)
        const snapshot = show(key, now)
        if (claimed.kind !== 'granted') return { kind: claimed.kind, snapshot }
        return { kind: 'granted', fence: claimed.lease.fence, takeover: claimed.lease.takeover, snapshot }
      }),

    publish: (key, attempt, fence, request, operation) =>
      atomically(operation, (now) => {
        const { kind, record } = rules.publish(find(key), attempt, fence, request, now)
        if (write(key, record, now) && kind === 'accepted') announce(key)
        return { kind, snapshot: show(key, now) }
      }),

    settle: (key, attempt, fence, request, operation) =>
      atomically(operation, (now) => {
        if (write(key, rules.settle(find(key), attempt, fence, request, now), now)) announce(key)
        return show(key, now)
      }),

    invalidate: (key, version, operation) =>
      atomically(operation, (now) => {
        if (write(key, rules.invalidate(find(key), version, now), now)) announce(key)
        return show(key, now)
      }),

    async subscribe(listener) {
      const subscription = { listener }
      listeners.add(subscription)
      return async () => {
        listeners.delete(subscription)
      }
    },

    async close() {
      listeners.clear()
    },

    checkpoint() {
      const remembered = [...entries]
      return () => {
        entries.clear()
        for (const [key, entry] of remembered) entries.set(key, entry)
      }
    },

    lose(key) {
      entries.delete(key)
    },
  }
}
