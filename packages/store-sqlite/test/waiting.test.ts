import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as passed } from 'node:timers/promises'
import type { TokenStore } from '@tokenwell/core'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { folder } from './support/files.ts'
import { claim, patient, publication } from './support/operations.ts'
import { together } from './support/process.ts'

let store: TokenStore
let path: string
let other: DatabaseSync

/** A store, and somebody else who has its file open. */
beforeEach(async () => {
  path = join(folder(), 'records.db')
  store = sqliteStore({ path })
  await store.publish('key', 'a', 5, publication, patient)
  other = new DatabaseSync(path)
  onTestFinished(async () => {
    if (other.isOpen) other.close()
    await store.close()
  })
})

/** An operation that is given up a moment later. */
function givenUp(reason: Error): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), 50)
  return controller.signal
}

test('a write waits for the lock of another, with the event loop free, until its signal ends it', async () => {
  other.exec('begin immediate')
  const reason = new Error('given up')
  const begun = performance.now()
  await expect(store.claim('key', 'b', claim, { signal: givenUp(reason) })).rejects.toBe(reason)
  await expect(store.publish('key', 'b', 6, publication, { signal: givenUp(reason) })).rejects.toBe(reason)
  expect(performance.now() - begun).toBeLessThan(2_000)
  other.exec('rollback')
  expect((await store.claim('key', 'c', claim, patient)).kind).toBe('granted')
})

test('reads, and writes that turn out to change nothing, wait for no writer', async () => {
  other.exec('begin exclusive; update records set version = 7')
  expect((await store.read(['key'], patient))[0]?.version).toBe(5)
  expect((await store.publish('key', 'a', 5, publication, patient)).kind).toBe('accepted')
  expect((await store.settle('key', 'a', 5, { backoffMs: 0 }, patient)).version).toBe(5)
  other.exec('rollback')
})

test('a write begins once the lock is free, and its time is that of the beginning', async () => {
  other.exec('begin immediate')
  const claimed = store.claim('key', 'b', { ...claim, leaseMs: 60_000 }, patient)
  await passed(60)
  const freed = Date.now()
  other.exec('rollback')
  const answer = await claimed
  expect(answer.kind === 'granted' && answer.fence).toBeGreaterThanOrEqual(freed * 1000)
  expect(answer.snapshot.lease?.expiresInMs).toBe(60_000)
})

test('a file that another keeps to itself is waited for until the signal ends it, also before it was opened', async () => {
  await store.close()
  other.exec('pragma locking_mode = exclusive; begin immediate; update records set version = 5; commit')
  const late = sqliteStore({ path })
  onTestFinished(() => late.close())
  const reason = new Error('given up')
  await expect(late.read(['key'], { signal: givenUp(reason) })).rejects.toBe(reason)
  await expect(late.claim('key', 'b', claim, { signal: givenUp(reason) })).rejects.toBe(reason)
  other.close()
  expect((await late.read(['key'], patient))[0]?.version).toBe(5)
})

test('a store that is closed while an operation waits ends it', async () => {
  other.exec('begin immediate')
  const waiting = store.claim('key', 'b', claim, patient)
  waiting.catch(() => {})
  await passed(20)
  await store.close()
  await expect(waiting).rejects.toThrow('the store has been closed')
  other.exec('rollback')
})

test('a thousand writes at once let the event loop go round between them', async () => {
  let rounds = 0
  const count = () => {
    rounds++
    next = setImmediate(count)
  }
  let next = setImmediate(count)
  onTestFinished(() => clearImmediate(next))
  const claims = await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.claim(`key ${index}`, 'a', claim, patient)))
  expect(new Set(claims.map(({ kind }) => kind))).toEqual(new Set(['granted']))
  expect(rounds).toBeGreaterThanOrEqual(999)
})

/** How many of these operations at most ended in one round of the event loop. */
async function mostInOneRound(operations: readonly Promise<unknown>[]): Promise<number> {
  let ended = 0
  let before = 0
  let most = 0
  const look = () => {
    most = Math.max(most, ended - before)
    before = ended
    next = setImmediate(look)
  }
  let next = setImmediate(look)
  onTestFinished(() => clearImmediate(next))
  await Promise.all(operations.map((operation) => operation.then(() => ended++)))
  look()
  return most
}

// One ends with the timer of its wait, and the next may have its turn in the same round.
test('a thousand writes that waited for one lock do not all write at once when it is free', async () => {
  other.exec('begin immediate')
  const claims = Array.from({ length: 1_000 }, (_, index) => store.claim(`key ${index}`, 'a', claim, patient))
  await passed(100)
  other.exec('rollback')
  expect(await mostInOneRound(claims)).toBeLessThanOrEqual(2)
})

test('a thousand reads that waited for one file do not all read at once when it is free', async () => {
  await store.close()
  other.exec('pragma locking_mode = exclusive; begin immediate; update records set version = 5; commit')
  const late = sqliteStore({ path })
  onTestFinished(() => late.close())
  const reads = Array.from({ length: 1_000 }, () => late.read(['key'], patient))
  await passed(100)
  other.close()
  expect(await mostInOneRound(reads)).toBeLessThanOrEqual(2)
})

test('writes go in the order they came; those that were given up are left out, and nobody waits for them', async () => {
  other.exec('begin immediate')
  const reason = new Error('given up')
  const order: number[] = []
  const claims = Array.from({ length: 30 }, async (_, index) => {
    const operation = index % 3 === 0 ? { signal: givenUp(reason) } : patient
    const { kind } = await store.claim(`key ${index}`, 'a', claim, operation)
    order.push(index)
    return kind
  })
  for (const claimed of claims) claimed.catch(() => {})
  await Promise.all(claims.flatMap((claimed, index) => (index % 3 === 0 ? [expect(claimed).rejects.toBe(reason)] : [])))
  expect(order).toEqual([])
  other.exec('rollback')
  const kinds = await Promise.all(claims.filter((_, index) => index % 3 !== 0))
  expect(kinds).toEqual(Array(20).fill('granted'))
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  const claimed = await store.read(['key 0', 'key 3', 'key 27'], patient)
  expect(claimed.map(({ lease }) => lease)).toEqual([undefined, undefined, undefined])
})

interface Busy {
  readonly p99: number
  readonly written: number
}

test('in 8 processes that write to the same keys the event loop is hardly later than with a file for each of them', async () => {
  const busy = async (paths: readonly string[]) => {
    const results = await together<Busy>(
      'busy',
      paths.map((path) => ({ path, forMs: 1_000 })),
    )
    for (const { written } of results) expect(written).toBeGreaterThan(0)
    return Math.max(...results.map(({ p99 }) => p99))
  }
  // Where the machine has other things to do, processes are late for other reasons: side by side, and the best of a few rounds counts.
  let isHardlyLater = false
  for (let round = 0; round < 5 && !isHardlyLater; round++) {
    const apart = await busy(Array.from({ length: 8 }, () => join(folder(), 'records.db')))
    const shared = await busy(Array(8).fill(join(folder(), 'records.db')))
    isHardlyLater = shared <= Math.max(20, 4 * apart)
  }
  expect(isHardlyLater).toBe(true)
}, 60_000)
