import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { folder } from './support/files.ts'
import { NodeProcess, together } from './support/process.ts'
import { integrity, rows } from './support/records.ts'

const NIGHTLY = Number(process.env.TOKENWELL_NIGHTLY ?? 0) || 1

interface Contended {
  readonly claims: number
  readonly others: readonly string[]
  readonly granted: readonly string[]
}

test('of 30 contenders for each of 200 keys, in 6 processes, exactly one is granted it', async () => {
  const path = join(folder(), 'records.db')
  const results = await together<Contended>('contend', Array(6).fill({ path, keys: 200, grants: 5 }))
  expect(results.map(({ claims }) => claims)).toEqual(Array(6).fill(1000))
  expect(results.flatMap(({ others }) => others)).toEqual([])
  const granted = results.flatMap((each) => each.granted)
  expect(granted).toHaveLength(200)
  expect(new Set(granted).size).toBe(200)
  expect(integrity(path)).toBe('ok')
}, 60_000)

test(
  '10,000 leases of a millisecond, in 4 processes, have 10,000 fences, each above the one before',
  async () => {
    const path = join(folder(), 'records.db')
    const results = await together<number[]>('grants', Array(4).fill({ path, grants: 2_500 * NIGHTLY }))
    for (const fences of results) expect(fences).toEqual(fences.toSorted((a, b) => a - b))
    expect(new Set(results.flat()).size).toBe(10_000 * NIGHTLY)
  },
  60_000 * NIGHTLY,
)

test('ten processes that start at once where there is no file all make do with one, 20 times', async () => {
  const path = join(folder(), 'records')
  const names = Array.from({ length: 10 }, (_, index) => `node ${index}`)
  const files = 20
  const args = names.map((name) => ({ path, name, files }))
  expect(await together('open', args)).toEqual(Array(10).fill(Array(files).fill('accepted')))
  for (let file = 0; file < files; file++) {
    expect(rows(`${path}${file}`).map(({ key }) => key)).toEqual(names)
    expect(integrity(`${path}${file}`)).toBe('ok')
  }
}, 30_000)

test(
  'a process killed at any moment takes no acknowledged publication with it, and leaves the file sound',
  async () => {
    const path = join(folder(), 'records.db')
    const newest = new Map<string, number>()

    /** One writer after another, each killed at a random moment of its writing. */
    async function killWriters(name: string, rounds: number): Promise<void> {
      for (let round = 0; round < rounds; round++) {
        const writer = new NodeProcess('publish', { path, name })
        await writer.ready
        const heard = writer.heard
        writer.go()
        await heard
        await passed(Math.random() * 50)
        await writer.kill()
        for (const [key, version] of writer.said as [string, number][]) newest.set(key, Math.max(version, newest.get(key) ?? 0))
        for (const { key, version } of rows(path)) expect(Number(version)).toBeGreaterThanOrEqual(newest.get(String(key)) ?? 0)
      }
      expect(integrity(path)).toBe('ok')
    }

    await Promise.all(Array.from({ length: 5 }, (_, index) => killWriters(`writer ${index}`, 40 * NIGHTLY)))
    expect(newest.size).toBe(6)
    expect(integrity(path)).toBe('ok')
  },
  180_000 * NIGHTLY,
)
