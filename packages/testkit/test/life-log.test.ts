import { beforeEach, describe, expect, test } from 'vitest'
import { LifeLog } from '../src/simulation/life-log.ts'
import { Audited } from './support/audited.ts'

let world: Audited

beforeEach(() => {
  world = new Audited()
})

describe('lives', () => {
  const MINUTE = 60_000

  test('are longer by what the clock of the store was set back since the grant, and shorter by what it was set forward', async () => {
    const lives = new LifeLog(() => world.timeline.now)
    await world.pass(10 * MINUTE)
    lives.stepped(3 * MINUTE)
    await world.pass(MINUTE)
    lives.published('key', 1, world.timeline.now - 100, 14 * MINUTE - 100)
    expect(lives.drift('key', 1)).toEqual({ since: 11 * MINUTE - 100, laterMs: 0, earlierMs: 0, takenAfterMs: 100 })
    expect(lives.isMoved('key')).toBe(false)
    await world.pass(5 * MINUTE)
    lives.stepped(MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: 0 })
    lives.stepped(4 * MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: MINUTE })
    expect(lives.isMoved('key')).toBe(true)
    expect(lives.drift('key', 2)).toBeUndefined()
  })

  test('are over when the clock of the store stands before the grant', async () => {
    const lives = new LifeLog(() => world.timeline.now)
    lives.published('key', 1, 0, 0)
    await world.pass(MINUTE)
    lives.stepped(-2 * MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: Number.POSITIVE_INFINITY })
  })

  test('count from the fence if it was ahead of the clock of the store at the grant, and from the publication if it still is', async () => {
    const lives = new LifeLog(() => world.timeline.now)
    await world.pass(MINUTE)
    lives.published('key', 1, 0, 5 * MINUTE)
    expect(lives.drift('key', 1)).toEqual({ since: 0, laterMs: MINUTE, earlierMs: 0, takenAfterMs: MINUTE })
    lives.published('key', 2, 0, MINUTE / 2)
    expect(lives.drift('key', 2)).toEqual({ since: 0, laterMs: MINUTE / 2, earlierMs: 0, takenAfterMs: MINUTE })
  })

  test('count from the publication by the clock that the store had then', async () => {
    const lives = new LifeLog(() => world.timeline.now)
    await world.pass(MINUTE)
    lives.stepped(3 * MINUTE)
    lives.published('key', 1, world.timeline.now - 100, 60 * MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 3 * MINUTE + 100 })
  })
})
