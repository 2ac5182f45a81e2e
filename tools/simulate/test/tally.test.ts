import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SimulationOptions } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { play } from '../play.ts'
import { tally } from '../tally.ts'
import { worldOf } from '../worlds.ts'

/** Small, and with something that happens in it five minutes after its beginning. */
function worldWith(seed: number, happens: () => string | undefined): SimulationOptions {
  const { scenario, ...world } = worldOf(1)
  return {
    ...world,
    seed,
    hours: 1,
    nodes: 1,
    troubles: 0,
    scenario: {
      ...scenario,
      begin(surroundings) {
        surroundings.at(300_000, () => {
          const line = happens()
          if (line !== undefined) surroundings.note(line)
        })
        return scenario.begin(surroundings)
      },
    },
  }
}

test('seeds are tallied: what was counted, the ways that were taken, and what was wrong', async () => {
  const { seeds, wrong, counts } = await tally([2, 3])
  expect(seeds).toEqual([2, 3])
  expect(wrong).toEqual([])
  expect(counts.get('edge claiming claimed fetching')).toBeGreaterThan(10)
  expect(counts.get('branch claim/granted')).toBeGreaterThan(10)
  expect(counts.get('gets')).toBeGreaterThan(2 * 5 * 360)
  expect(counts.get('played twice')).toBeUndefined()
})

test('what is thrown in a world is told with its seed, and the others are played', async () => {
  const world = (seed: number) =>
    worldWith(seed, () => {
      if (seed === 3) throw new RangeError('out of range')
      return undefined
    })
  const { wrong } = await tally([2, 3, 4], world)
  expect(wrong).toEqual([{ seed: 3, violations: ['300.000 s: thrown, and caught by nobody: RangeError: out of range'] }])
})

test('a world that cannot be begun is told with its seed', async () => {
  const report = await play({
    ...worldWith(9, () => undefined),
    store: () => {
      throw new Error('no store')
    },
  })
  expect(report).toMatchObject({ seed: 9, violations: ['the world could not be played: Error: no store'] })
})

test('a hundredth of the seeds is played twice, and must be the same; what is counted is what one of both did', async () => {
  let plays = 0
  const world = (seed: number) =>
    worldWith(seed, () => {
      plays += 1
      return `played ${plays}`
    })
  const { wrong, counts } = await tally([200, 201, 202], world)
  expect(plays).toBe(5)
  expect(wrong).toEqual([
    { seed: 200, violations: ['it is not the same twice'] },
    { seed: 201, violations: ['it is not the same twice'] },
  ])
  expect(counts.get('played twice')).toBe(2)
  const alone = await tally([202, 203, 204], (seed) => worldWith(seed - 2, () => undefined))
  expect(counts.get('gets')).toBe(alone.counts.get('gets'))
  expect(counts.get('edge claiming claimed fetching')).toBe(alone.counts.get('edge claiming claimed fetching'))
})

test('of the seeds of the worlds each kind is played twice, and is the same', async () => {
  const { wrong, counts } = await tally([400, 401])
  expect(wrong).toEqual([])
  expect(counts.get('played twice')).toBe(2)
})

test('what nobody catches is collected while something runs, and not afterwards', async () => {
  const thread = new Worker(new URL('./support/stray-thread.ts', import.meta.url))
  const [told] = await once(thread, 'message')
  await thread.terminate()
  const strays = ['thrown, and caught by nobody: TypeError: rejected', 'thrown, and caught by nobody: RangeError: thrown']
  expect(told).toEqual([
    { value: 'done', strays },
    { value: 'sound', strays: [] },
  ])
})
