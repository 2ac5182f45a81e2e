import type { TokenStore } from '@tokenwell/core'
import type { Pool } from 'pg'
import { expect } from 'vitest'
import { claim, patient, publication } from './operations.ts'

interface Given {
  readonly store: TokenStore
  /** Of the same database. */
  readonly admin: Pool
  readonly schema: string
}

/** What an operation must do that has waited for the row while something was done to it. */
export const lockWaitCases: Readonly<Record<string, (given: Given) => Promise<void>>> = {
  'after a wait: a lease that was released meanwhile is not taken over': async (given) => {
    await given.store.claim('key', 'a', { ...claim, leaseMs: 0.001 }, patient)
    const release = `update "${given.schema}".records set owner = null, lease_fence = null, lease_until = null, lease_length = null`
    const claimed = await whileLocked(given, () => given.store.claim('key', 'b', claim, patient), { change: release })
    expect(claimed.kind === 'granted' && claimed.takeover).toBe(false)
  },

  'after a wait: a lease that was granted meanwhile is seen': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const grant = `update "${given.schema}".records set owner = 'b', lease_fence = fence, takeover = false,
      lease_until = (extract(epoch from clock_timestamp()) * 1000000)::bigint + 8000000, lease_length = 8000000`
    const claimed = await whileLocked(given, () => given.store.claim('key', 'a', claim, patient), { change: grant })
    expect(claimed.kind).toBe('held')
  },

  'after a wait: a row that was made meanwhile is seen': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, owner, lease_fence, lease_until, lease_length, takeover, changed_at)
      select sha256('key'), 'key', 5, 'b', 5, now + 8000000, 8000000, false, now from "${given.schema}".clock() as now`
    const claimed = await whileLocked(given, () => given.store.claim('key', 'a', claim, patient), { made: make })
    expect(claimed.kind).toBe('held')
  },

  'after a wait: a publication older than the one that made the row meanwhile is superseded': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, version, published_by, value, changed_at)
      select sha256('key'), 'key', 9, 9, 'b', 'newer', "${given.schema}".clock()`
    const published = await whileLocked(given, () => given.store.publish('key', 'a', 5, publication, patient), { made: make })
    expect([published.kind, published.snapshot.value]).toEqual(['superseded', 'newer'])
  },

  'after a wait: what was granted with the row that was made meanwhile is rejected too': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, changed_at) select sha256('key'), 'key', 9, "${given.schema}".clock()`
    const invalidated = await whileLocked(given, () => given.store.invalidate('key', 5, patient), { made: make })
    expect(invalidated.rejectedUpTo).toBe(9)
  },

  'after a wait: a publication older than what was published meanwhile is superseded': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const publish = `update "${given.schema}".records set version = 9, fence = 9, published_by = 'b', value = 'newer'`
    const published = await whileLocked(given, () => given.store.publish('key', 'a', 5, publication, patient), { change: publish })
    expect([published.kind, published.snapshot.value]).toEqual(['superseded', 'newer'])
  },

  'after a wait: a lease that ran out meanwhile is not settled': async (given) => {
    const granted = await given.store.claim('key', 'a', { ...claim, leaseMs: 500 }, patient)
    const fence = granted.kind === 'granted' ? granted.fence : 0
    const settle = () => given.store.settle('key', 'a', fence, { backoffMs: 1000 }, patient)
    const runsOut = `select pg_sleep(greatest(0, lease_until / 1e6 - extract(epoch from clock_timestamp()))) from "${given.schema}".records`
    expect((await whileLocked(given, settle, { change: runsOut })).backoff).toBeUndefined()
  },

  'after a wait: a lease that was taken over meanwhile is not released by a settlement': async (given) => {
    const granted = await given.store.claim('key', 'a', claim, patient)
    const fence = granted.kind === 'granted' ? granted.fence : 0
    const settle = () => given.store.settle('key', 'a', fence, { backoffMs: 1000 }, patient)
    const settled = await whileLocked(given, settle, { change: `update "${given.schema}".records set owner = 'b'` })
    expect([settled.lease === undefined, settled.backoff]).toEqual([false, undefined])
  },

  'after a wait: a lease that was taken over meanwhile is not released by a publication that is superseded': async (given) => {
    await given.store.publish('key', 'b', 9, publication, patient)
    await given.store.claim('key', 'a', { ...claim, seen: 10 }, patient)
    const publish = () => given.store.publish('key', 'a', 5, publication, patient)
    const published = await whileLocked(given, publish, { change: `update "${given.schema}".records set owner = 'c'` })
    expect([published.kind, published.snapshot.lease === undefined]).toEqual(['superseded', false])
  },

  'after a wait: what was granted meanwhile is rejected too': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const grant = `update "${given.schema}".records set fence = 9`
    const invalidated = await whileLocked(given, () => given.store.invalidate('key', 5, patient), { change: grant })
    expect(invalidated.rejectedUpTo).toBe(9)
  },
}

/** Runs the operation while somebody else has locked the row, or `made` it and not committed that yet, and then does this to it. */
async function whileLocked<T>(
  { admin, schema }: Given,
  operation: () => Promise<T>,
  { made, change }: { made?: string; change?: string },
): Promise<T> {
  const holder = await admin.connect()
  try {
    await holder.query(`begin; ${made ?? `select from "${schema}".records for update`}`)
    const outcome = operation()
    outcome.catch(() => {})
    const waiting = async () =>
      (await admin.query('select from pg_stat_activity where wait_event_type = $1 and query like $2', ['Lock', `select "${schema}".%($1%`]))
        .rows.length
    await expect.poll(waiting, { interval: 2, timeout: 5_000 }).toBe(1)
    await holder.query(change ?? 'select')
    await holder.query('commit')
    return await outcome
  } finally {
    await holder.query('rollback')
    holder.release()
  }
}
