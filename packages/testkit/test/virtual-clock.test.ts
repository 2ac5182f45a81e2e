import { virtualClock } from '@tokenwell/testkit'
import { expect, test } from 'vitest'

test('both clocks move on together', async () => {
  const clock = virtualClock({ wallMs: 1000 })
  const monotonic = clock.monotonic()
  await clock.advance(250)
  expect([clock.wall(), clock.monotonic() - monotonic]).toEqual([1250, 250])
})

test('timers run in the order in which they are due, with the clocks standing at their time', async () => {
  const clock = virtualClock({ wallMs: 0 })
  const ran: [string, number][] = []
  clock.schedule(() => ran.push(['second', clock.wall()]), 20)
  clock.schedule(() => ran.push(['first', clock.wall()]), 10)
  clock.schedule(() => ran.push(['also second', clock.wall()]), 20)
  clock.schedule(() => ran.push(['not yet', clock.wall()]), 31)
  await clock.advance(30)
  expect(ran).toEqual([
    ['first', 10],
    ['second', 20],
    ['also second', 20],
  ])
  expect(clock.wall()).toBe(30)
})

test('what a timer and the promises after it schedule is part of the same advance', async () => {
  const clock = virtualClock({ wallMs: 0 })
  const ran: number[] = []
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.schedule(resolve, ms))
  const work = async () => {
    for (let round = 0; round < 3; round++) {
      await sleep(10)
      for (let turn = 0; turn < 100; turn++) await undefined
      ran.push(clock.wall())
    }
  }
  const done = work()
  await clock.advance(30)
  expect(ran).toEqual([10, 20, 30])
  await done
})

test('what was started just before an advance is part of it', async () => {
  const clock = virtualClock()
  let ran = false
  void Promise.resolve().then(() => clock.schedule(() => (ran = true), 10))
  await clock.advance(10)
  expect(ran).toBe(true)
})

test('a timer without delay waits for the next advance', async () => {
  const clock = virtualClock()
  let ran = false
  clock.schedule(() => (ran = true), 0)
  expect(ran).toBe(false)
  await clock.advance(0)
  expect(ran).toBe(true)
})

test('a cancelled timer does not run, and cancelling it again or late is harmless', async () => {
  const clock = virtualClock()
  let runs = 0
  const cancel = clock.schedule(() => runs++, 10)
  const cancelLate = clock.schedule(() => runs++, 10)
  cancel()
  cancel()
  await clock.advance(10)
  cancelLate()
  expect(runs).toBe(1)
})

test('a step of the wall clock moves neither the monotonic clock nor timers', async () => {
  const clock = virtualClock({ wallMs: 1_000_000 })
  clock.schedule(() => {}, 50)
  const monotonic = clock.monotonic()
  clock.stepWall(-3_600_000)
  expect([clock.wall(), clock.monotonic(), clock.nextInMs]).toEqual([1_000_000 - 3_600_000, monotonic, 50])
})

test('during a suspension the wall clock alone goes on', () => {
  const clock = virtualClock({ wallMs: 0 })
  clock.schedule(() => {}, 50)
  const monotonic = clock.monotonic()
  clock.suspend(3_600_000)
  expect([clock.wall(), clock.monotonic(), clock.nextInMs]).toEqual([3_600_000, monotonic, 50])
})

test('armed timers are counted, and the next one is known', async () => {
  const clock = virtualClock()
  expect([clock.pending, clock.nextInMs]).toEqual([0, undefined])
  clock.schedule(() => {}, 30)
  const cancel = clock.schedule(() => {}, 20)
  expect([clock.pending, clock.nextInMs]).toEqual([2, 20])
  cancel()
  await clock.advance(10)
  expect([clock.pending, clock.nextInMs]).toEqual([1, 20])
  await clock.advance(20)
  expect([clock.pending, clock.nextInMs]).toEqual([0, undefined])
})

test('advances that overlap run one after the other', async () => {
  const clock = virtualClock({ wallMs: 0 })
  const ran: number[] = []
  clock.schedule(() => ran.push(clock.wall()), 15)
  await Promise.all([clock.advance(10), clock.advance(10)])
  expect([ran, clock.wall()]).toEqual([[15], 20])
})

test('an advance rejects with what a timer throws, and the clock can be used on', async () => {
  const clock = virtualClock({ wallMs: 0 })
  clock.schedule(() => {
    throw new Error('a timer that fails')
  }, 10)
  await expect(clock.advance(20)).rejects.toThrow('a timer that fails')
  await clock.advance(5)
  expect(clock.wall()).toBe(15)
})

test('time that runs backwards is refused', () => {
  const clock = virtualClock()
  expect(() => clock.advance(-1)).toThrow(TypeError)
  expect(() => clock.suspend(-1)).toThrow(TypeError)
  expect(() => clock.schedule(() => {}, Number.NaN)).toThrow('virtualClock.schedule: takes milliseconds of at least 0, got NaN')
})
