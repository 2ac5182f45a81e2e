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
  'after a wait: a lease is granted from the time when the row was free': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const [claimed, free] = await whileLocked(given, () => given.store.claim('key', 'a', claim, patient), 'select 1')
    expect(claimed.kind === 'granted' && claimed.fence).toBeGreaterThanOrEqual(free)
    expect(Number(await column(given, 'lease_until'))).toBeGreaterThanOrEqual(free + claim.leaseMs * 1000)
  },

  'after a wait: a lease that was released meanwhile is not taken over': async (given) => {
    await given.store.claim('key', 'a', { ...claim, leaseMs: 0.001 }, patient)
    const release = `update "${given.schema}".records set owner = null, lease_fence = null, lease_until = null, lease_length = null`
    const [claimed] = await whileLocked(given, () => given.store.claim('key', 'b', claim, patient), release)
    expect(claimed.kind === 'granted' && claimed.takeover).toBe(false)
  },

  'after a wait: a lease that was granted meanwhile is seen': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const grant = `update "${given.schema}".records set owner = 'b', lease_fence = fence, takeover = false,
      lease_until = (extract(epoch from clock_timestamp()) * 1000000)::bigint + 8000000, lease_length = 8000000`
    const [claimed] = await whileLocked(given, () => given.store.claim('key', 'a', claim, patient), grant)
    expect(claimed.kind).toBe('held')
  },

  'after a wait: a row that was made meanwhile is seen': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, owner, lease_fence, lease_until, lease_length, takeover, changed_at)
      select sha256('key'), 'key', 5, 'b', 5, now + 8000000, 8000000, false, now from "${given.schema}".clock() as now`
    const [claimed] = await whileLocked(given, () => given.store.claim('key', 'a', claim, patient), 'select 1', make)
    expect(claimed.kind).toBe('held')
  },

  'after a wait: a publication older than the one that made the row meanwhile is superseded': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, version, published_by, value, changed_at)
      select sha256('key'), 'key', 9, 9, 'b', 'newer', "${given.schema}".clock()`
    const [published] = await whileLocked(given, () => given.store.publish('key', 'a', 5, publication, patient), 'select 1', make)
    expect([published.kind, published.snapshot.value]).toEqual(['superseded', 'newer'])
  },

  'after a wait: what was granted with the row that was made meanwhile is rejected too': async (given) => {
    const make = `insert into "${given.schema}".records (id, key, fence, changed_at) select sha256('key'), 'key', 9, "${given.schema}".clock()`
    const [invalidated] = await whileLocked(given, () => given.store.invalidate('key', 5, patient), 'select 1', make)
    expect(invalidated.rejectedUpTo).toBe(9)
  },

  'after a wait: a publication older than what was published meanwhile is superseded': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const publish = `update "${given.schema}".records set version = 9, fence = 9, published_by = 'b', value = 'newer'`
    const [published] = await whileLocked(given, () => given.store.publish('key', 'a', 5, publication, patient), publish)
    expect([published.kind, published.snapshot.value]).toEqual(['superseded', 'newer'])
  },

  'after a wait: a time to the end counts from the time when the row was free': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const ahead = (Date.now() + 3_600_000) * 1000
    const [published, free] = await whileLocked(given, () => given.store.publish('key', 'a', ahead, publication, patient), 'select 1')
    expect(published.kind).toBe('accepted')
    expect(Number(await column(given, 'expires_at'))).toBeGreaterThanOrEqual(free + publication.expiresInMs * 1000)
  },

  'after a wait: a lease that ran out meanwhile is not settled': async (given) => {
    const granted = await given.store.claim('key', 'a', claim, patient)
    const fence = granted.kind === 'granted' ? granted.fence : 0
    const expire = `update "${given.schema}".records set lease_until = (extract(epoch from clock_timestamp()) * 1000000)::bigint`
    const [settled] = await whileLocked(given, () => given.store.settle('key', 'a', fence, { backoffMs: 1000 }, patient), expire)
    expect(settled.backoff).toBeUndefined()
  },

  'after a wait: what was granted meanwhile is rejected too': async (given) => {
    await given.store.invalidate('key', 1, patient)
    const grant = `update "${given.schema}".records set fence = 9`
    const [invalidated] = await whileLocked(given, () => given.store.invalidate('key', 5, patient), grant)
    expect(invalidated.rejectedUpTo).toBe(9)
  },
}

/** Runs the operation while somebody else holds the row, who then does this to it. When the row was free, in the server's time. */
async function whileLocked<T>(
  { admin, schema }: Given,
  operation: () => Promise<T>,
  change: string,
  hold = `select from "${schema}".records for update`,
): Promise<[T, number]> {
  const holder = await admin.connect()
  try {
    await holder.query(`begin; ${hold}`)
    const outcome = operation()
    outcome.catch(() => {})
    const waiting = async () =>
      (await admin.query('select from pg_stat_activity where wait_event_type = $1 and query like $2', ['Lock', `select "${schema}".%($1%`]))
        .rows.length
    await expect.poll(waiting, { interval: 2, timeout: 5_000 }).toBe(1)
    await holder.query(change)
    const { rows } = await holder.query('select floor(extract(epoch from clock_timestamp()) * 1000000)::text as free')
    await holder.query('commit')
    return [await outcome, Number(rows[0].free)]
  } finally {
    await holder.query('rollback')
    holder.release()
  }
}

async function column({ admin, schema }: Given, name: string): Promise<string> {
  return (await admin.query(`select ${name} as value from "${schema}".records`)).rows[0].value
}
