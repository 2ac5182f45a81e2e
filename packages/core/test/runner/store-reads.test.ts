import type { Snapshot, TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { IN_CLEAR } from '../../src/seal/keyring.ts'
import { sealedStore } from '../../src/seal/sealed-store.ts'
import { StoreCalls } from '../../src/store-calls.ts'
import { quiet } from '../support/world.ts'

const TIMEOUT_MS = 1_000

/** Core's calls of a store whose `read` is another one; the keys of each of these calls, and how many were under way at most. */
function callsOf(read: (keys: readonly string[], store: TokenStore) => Promise<Snapshot[]>) {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  const asked: string[][] = []
  let underWay = 0
  const seen = { most: 0 }
  const other: TokenStore = {
    ...store,
    read: async (keys) => {
      asked.push(keys.map((key) => key.replace('test/', '')))
      underWay += 1
      seen.most = Math.max(seen.most, underWay)
      try {
        // A turn, as any store takes.
        await quiet()
        return await read(keys, store)
      } finally {
        underWay -= 1
      }
    },
  }
  const sealed = sealedStore(other, IN_CLEAR, () => {})
  const calls = new StoreCalls(sealed, 'test', TIMEOUT_MS, clock, { called: () => {}, track: (work) => work })
  return { calls, clock, asked, seen }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `key ${index}`)
const signal = new AbortController().signal
const inStore = (keys: readonly string[], store: TokenStore) => store.read(keys, { signal })
const hanging = () => new Promise<never>(() => {})

async function codesOf(answers: readonly Promise<unknown>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(answers)
  return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'read' : (outcome.reason as { code: string }).code))
}

describe('records that are read together', () => {
  test('with one that no call can read are read all the same, each by itself, no more than sixteen at a time', async () => {
    const { calls, asked, seen } = callsOf((keys, store) => {
      if (keys.includes('test/key 7')) return Promise.reject(new Error('a record of another format'))
      return inStore(keys, store)
    })
    const codes = await codesOf(names(100).map((key) => calls.read(key)))
    expect(codes.flatMap((code, index) => (code === 'read' ? [] : [`${index} ${code}`]))).toEqual(['7 STORE_UNAVAILABLE'])
    expect(asked.map((keys) => keys.length)).toEqual([100, ...names(100).map(() => 1)])
    expect(seen.most).toBe(16)
  })

  test.each<readonly [string, (snapshot: Snapshot) => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a number for its value', (snapshot) => ({ ...snapshot, value: 7 })],
    ['the record of another key', (snapshot) => ({ ...snapshot, key: 'test/key 8' })],
    ['no version', ({ version: _, ...rest }) => rest],
  ])('with %s for one of them have their answers, and that one has not', async (_, change) => {
    const { calls, asked } = callsOf(async (keys, store) => {
      const snapshots = await inStore(keys, store)
      return snapshots.map((snapshot) => (snapshot.key === 'test/key 7' ? (change(snapshot) as Snapshot) : snapshot))
    })
    const codes = await codesOf(names(20).map((key) => calls.read(key)))
    expect(codes.flatMap((code, index) => (code === 'read' ? [] : [`${index} ${code}`]))).toEqual(['7 STORE_INCOMPATIBLE'])
    expect(asked).toHaveLength(1)
  })

  test('with an answer that is none are refused, and nothing is thrown', async () => {
    const { calls } = callsOf(async () => null as never)
    expect(await codesOf(names(3).map((key) => calls.read(key)))).toEqual(names(3).map(() => 'STORE_INCOMPATIBLE'))
  })

  test('from a store that does not answer are refused after two deadlines where they are few, after three where they are many', async () => {
    const few = callsOf(hanging)
    const answers = codesOf(names(16).map((key) => few.calls.read(key)))
    await few.clock.advance(2 * TIMEOUT_MS)
    expect(new Set(await answers)).toEqual(new Set(['STORE_UNAVAILABLE']))

    const many = callsOf(hanging)
    const others = codesOf(names(5_000).map((key) => many.calls.read(key)))
    await many.clock.advance(3 * TIMEOUT_MS)
    expect(new Set(await others)).toEqual(new Set(['STORE_UNAVAILABLE']))
  })

  test('are not waited for by what a fetch needs', async () => {
    const { calls, asked } = callsOf(hanging)
    for (const key of names(5_000)) calls.read(key).catch(() => {})
    calls.readNow('ticket').catch(() => {})
    await quiet()
    expect(asked).toContainEqual(['ticket'])
  })

  test('are not asked for any more once the manager has closed', async () => {
    const { calls, asked } = callsOf(inStore)
    calls.end()
    expect(await codesOf([calls.read('key'), calls.readNow('key')])).toEqual(['CLOSED', 'CLOSED'])
    expect(asked).toEqual([])
  })
})
