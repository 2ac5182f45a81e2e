import { beforeEach, describe, expect, test } from 'vitest'
import { drawsOf } from '../src/simulation/random.ts'
import type { RequestAudit } from '../src/simulation/request-audit.ts'
import type { SimulatedStore } from '../src/simulation/simulated-store.ts'
import { Strikes } from '../src/simulation/strikes.ts'
import { Timeline } from '../src/simulation/timeline.ts'

describe('a trouble', () => {
  let timeline: Timeline
  let strikes: Strikes
  let began: number[]
  let ended: number[]
  let isWorthRollingBack: boolean

  const pass = (ms: number) => timeline.runUntil(timeline.now + ms)

  beforeEach(() => {
    timeline = new Timeline()
    began = []
    ended = []
    isWorthRollingBack = false
    const fail = () => {
      began.push(timeline.now)
      return () => void ended.push(timeline.now)
    }
    const store = { stall: fail, goDown: fail, checkpoint: () => () => isWorthRollingBack }
    strikes = new Strikes({
      timeline,
      // Nothing else of either is asked for by these troubles.
      store: store as unknown as SimulatedStore,
      requests: {} as RequestAudit,
      nodes: [],
      upstream: () => () => {},
      draws: drawsOf(1, 'strikes'),
      quietFrom: 100_000,
      begin() {},
      stepStoreClock() {},
      struck() {},
      note() {},
    })
  })

  test.each(['stall', 'down'] as const)('that waits for its occasion is not yet wrong, and one that is on is: %s', async (kind) => {
    strikes.prepare({ at: 1_000, forMs: 60_000, on: 'store', kind, byMs: 5_000 })
    await pass(30_000)
    expect([began, strikes.wellForMs]).toEqual([[], Number.POSITIVE_INFINITY])
    strikes.granted('n0.one.1')
    strikes.publishes('n0')
    await pass(400)
    expect(began).toHaveLength(1)
    expect(strikes.wellForMs).toBe(0)
    const [at = 0] = began
    await pass(10_000)
    expect(ended).toEqual([at + 5_000])
    expect(strikes.wellForMs).toBe(timeline.now - at - 5_000)
    strikes.publishes('n0')
    await pass(400)
    expect(began).toHaveLength(1)
  })

  test('begins at once where nothing is said of how long it lasts then', async () => {
    strikes.prepare({ at: 1_000, forMs: 6_000, on: 'store', kind: 'down', byMs: 0 })
    await pass(10_000)
    expect([began, ended]).toEqual([[1_000], [7_000]])
  })

  test('whose time is over, or that would last into the quiet, does not begin', async () => {
    strikes.prepare({ at: 0, forMs: 1_000, on: 'store', kind: 'stall', byMs: 5_000 })
    await pass(2_000)
    strikes.publishes('n0')
    strikes.prepare({ at: 90_000, forMs: 10_000, on: 'store', kind: 'stall', byMs: 5_000 })
    await pass(94_000)
    strikes.publishes('n0')
    await pass(10_000)
    expect([began, strikes.wellForMs]).toEqual([[], Number.POSITIVE_INFINITY])
  })

  test('of a store that has nothing to lose yet is not wrong until it has', async () => {
    strikes.prepare({ at: 1_000, forMs: 60_000, on: 'store', kind: 'rollback', byMs: 500 })
    await pass(30_000)
    expect(strikes.wellForMs).toBe(Number.POSITIVE_INFINITY)
    isWorthRollingBack = true
    strikes.granted('n0.one.1')
    await pass(5_000)
    expect(strikes.wellForMs).toBeLessThanOrEqual(5_000)
  })
})
