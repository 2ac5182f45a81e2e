import type { TokenHandle } from '@tokenwell/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { drawsOf } from '../../../packages/testkit/src/simulation/random.ts'
import { Traffic } from '../traffic.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Who is asked, and how, within so many milliseconds of traffic. */
async function callsOf(seed: number, node: string, ms = 5_000): Promise<string[]> {
  const calls: string[] = []
  const token = { value: 'one', version: 1, expiresAt: Number.POSITIVE_INFINITY, renewAt: 0 }
  const handle = (key: string): TokenHandle =>
    ({
      key,
      peek: () => {
        calls.push(`${key} peek`)
        return token
      },
      get: async (options: { timeoutMs?: number; minLifeMs?: number; signal?: AbortSignal } = {}) => {
        const { timeoutMs, minLifeMs, signal } = options
        calls.push(`${key} get ${timeoutMs ?? ''} ${minLifeMs ?? ''} ${signal === undefined ? '' : 'leaving'}`)
        return token
      },
      use: async () => void calls.push(`${key} use`),
      reject: async () => void calls.push(`${key} reject`),
    }) as unknown as TokenHandle
  const traffic = new Traffic(['a', 'b', 'c'].map(handle), {
    node,
    draws: drawsOf(seed, `traffic ${node}`),
    wall: () => 0,
    rejectedUpTo: () => 0,
    api: async () => undefined,
    tell: () => {},
  })
  traffic.start(10)
  await vi.advanceTimersByTimeAsync(ms)
  await traffic.end()
  return calls
}

test('who comes next, and in which manner, is drawn from the seed and the name of the node', async () => {
  const calls = await callsOf(7, 'node 0 life 1')
  expect(calls).toHaveLength(500)
  expect(new Set(calls.map((call) => call.split(' ').slice(0, 2).join(' '))).size).toBeGreaterThanOrEqual(9)
  expect(await callsOf(7, 'node 0 life 1')).toEqual(calls)
  expect(await callsOf(8, 'node 0 life 1')).not.toEqual(calls)
  expect(await callsOf(7, 'node 0 life 2')).not.toEqual(calls)
})
