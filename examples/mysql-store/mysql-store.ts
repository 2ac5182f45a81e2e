import { createHash } from 'node:crypto'
import type { Claim, Publication, Snapshot, TokenStore, Version } from '@tokenwell/core'
import type { Pool, RowDataPacket } from 'mysql2/promise'
import { call, type Parameter } from './call.ts'
import { type RecordRow, snapshotOf } from './snapshot.ts'

/** What a procedure that works on one record answers. */
interface AnswerRow extends RecordRow {
  /** The database's clock, microseconds. */
  readonly clock: number
  readonly kind: string | null
  readonly lease_fence: number
  readonly takeover: number
}

export interface MysqlStoreOptions {
  /** Of `mysql2/promise`, on a database in which {@link createSchema} was run. It stays yours to end. */
  readonly pool: Pool
}

/** The records of a fleet in MariaDB or MySQL. */
export function mysqlStore({ pool }: MysqlStoreOptions): TokenStore {
  const onRecord = async (operation: string, key: string, parameters: Parameter[], signal: AbortSignal) => {
    const [rows] = await call(pool, operation, [idOf(key), bytes(key), ...parameters], signal)
    const row = first<AnswerRow>(rows)
    return { row, snapshot: snapshotOf(key, row, Number(row.clock)) }
  }
  return {
    contractVersion: 1,
    capabilities: { shared: true, durable: true, push: false },

    async read(keys, { signal }): Promise<Snapshot[]> {
      const ids = keys.map((key) => idOf(key).toString('hex'))
      const [rows = [], clocks] = await call(pool, 'read', [JSON.stringify(ids)], signal)
      const clock = Number(first<RowDataPacket>(clocks).clock)
      const byId = new Map((rows as RecordRow[]).map((row) => [row.id.toString('hex'), row]))
      return keys.map((key, index) => snapshotOf(key, byId.get(ids[index] ?? ''), clock))
    },

    async claim(key, attempt, { leaseMs, seen, rejected, config }, { signal }): Promise<Claim> {
      const parameters = [bytes(attempt), microseconds(leaseMs), seen, rejected, optionalBytes(config)]
      const { row, snapshot } = await onRecord('claim', key, parameters, signal)
      const kind = row.kind as Claim['kind']
      if (kind !== 'granted') return { kind, snapshot }
      return { kind, fence: Number(row.lease_fence), takeover: Number(row.takeover) === 1, snapshot }
    },

    async publish(key, attempt, fence, request, { signal }): Promise<Publication> {
      const { value, renewInMs, expiresInMs, basedOn = null, quietMs = 0, maxAheadMs } = request
      if (fence < 1) throw new RangeError('publish(): the fence must be positive')
      const parameters = [
        bytes(attempt),
        safe(fence),
        bytes(value),
        microseconds(renewInMs),
        microseconds(expiresInMs),
        basedOn,
        microseconds(quietMs),
        maxAheadMs === undefined ? null : microseconds(maxAheadMs),
      ]
      const { row, snapshot } = await onRecord('publish', key, parameters, signal)
      return { kind: row.kind as Publication['kind'], snapshot }
    },

    async settle(key, attempt, fence, { backoffMs, failure, config }, { signal }): Promise<Snapshot> {
      const parameters = [bytes(attempt), fence, microseconds(backoffMs), optionalBytes(failure), optionalBytes(config)]
      return (await onRecord('settle', key, parameters, signal)).snapshot
    },

    async invalidate(key, version, { signal }): Promise<Snapshot> {
      return (await onRecord('invalidate', key, [safe(version)], signal)).snapshot
    },

    async close() {},
  }
}

function idOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** The UTF-8 of a text, so that the character set of the connection has no say in it. */
function bytes(text: string): Buffer {
  return Buffer.from(text)
}

function optionalBytes(text: string | undefined): Buffer | null {
  return text === undefined ? null : bytes(text)
}

/** A number beyond these has neighbours that a number cannot tell from it. */
function safe(version: Version): Version {
  if (!Number.isSafeInteger(version)) throw new RangeError('a version must be a safe integer')
  return version
}

function microseconds(ms: number): number {
  return Math.round(ms * 1_000)
}

function first<T extends RowDataPacket>(rows: readonly RowDataPacket[] | undefined): T {
  const row = rows?.[0]
  if (row === undefined) throw new Error('the database answered without a row: is its schema that of this store?')
  return row as T
}
