import { describe, expect, test } from 'vitest'
import { STORES } from '../options.ts'
import { drawPlan, nameOf, PLATFORM_FAULTS, PROCESS_FAULTS, SERVER_FAULTS, TICKET_EVENTS, WIRE_FAULTS } from '../plan.ts'

const options = { seed: 7, store: 'redis', processes: 8, forMs: 60_000 } as const

test('a seed always draws the same, another one something else', () => {
  expect(drawPlan(options)).toEqual(drawPlan(options))
  expect(drawPlan({ ...options, seed: 8 })).not.toEqual(drawPlan(options))
})

test('a longer run begins as a shorter one of the same seed', () => {
  // What is under way at its end is cut short.
  const short = drawPlan(options).filter(({ at, forMs }) => at + forMs < options.forMs - 2)
  expect(drawPlan({ ...options, forMs: 600_000 })).toEqual(expect.arrayContaining(short))
})

test('everything is over in time, and in order of time', () => {
  const plan = drawPlan(options)
  expect(plan.filter(({ at, forMs }) => at < 0 || forMs < 0 || at + forMs > options.forMs)).toEqual([])
  expect(plan.map(({ at }) => at)).toEqual(plan.map(({ at }) => at).sort((one, other) => one - other))
})

test('faults of one target follow one another, those of different targets overlap', () => {
  const plan = drawPlan({ ...options, forMs: 600_000 })
  for (const lane of Map.groupBy(plan, nameOf).values()) {
    for (const [index, { at }] of lane.entries()) {
      const before = lane[index - 1]
      if (before !== undefined) expect(at).toBeGreaterThanOrEqual(before.at + before.forMs)
    }
  }
  const overlaps = plan.filter(({ at, forMs }) => plan.some((other) => other.at > at && other.at < at + forMs))
  expect(overlaps.length).toBeGreaterThan(100)
})

describe.each(STORES)('on %s', (store) => {
  const plan = drawPlan({ ...options, store, forMs: 20 * 60_000 })

  test('a run of twenty minutes has every kind of fault', () => {
    const kindsOf = (on: string) => new Set(plan.filter((fault) => fault.on === on).map(({ kind }) => kind))
    expect(kindsOf('process')).toEqual(new Set(PROCESS_FAULTS))
    expect(kindsOf('server')).toEqual(new Set(SERVER_FAULTS[store]))
    expect(kindsOf('platform')).toEqual(new Set(PLATFORM_FAULTS))
    expect(kindsOf('tickets')).toEqual(new Set(TICKET_EVENTS))
    expect(kindsOf('wire')).toEqual(new Set(store === 'sqlite' ? [] : WIRE_FAULTS))
  })

  test('every process is struck, for a tenth of a second to twelve', () => {
    const struck = plan.filter((fault) => fault.on === 'process')
    expect(new Set(struck.map((fault) => ('node' in fault ? fault.node : -1))).size).toBe(8)
    expect(Math.min(...struck.map(({ forMs }) => forMs))).toBeLessThan(200)
    expect(Math.max(...struck.map(({ forMs }) => forMs))).toBeGreaterThan(10_000)
    expect(Math.max(...struck.map(({ forMs }) => forMs))).toBeLessThanOrEqual(12_000)
  })
})
