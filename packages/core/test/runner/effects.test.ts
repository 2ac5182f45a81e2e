import { virtualClock } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { Effects } from '../../src/effects.ts'
import type { Happening } from '../../src/machine/happenings.ts'
import { defaultPolicy } from '../../src/machine/policy.ts'
import { kernelOn } from '../support/kernel.ts'

/** A clock whose process can be paused: time goes on, and no timer has run yet. While its machine sleeps, the wall clock alone goes on. */
function pausable() {
  const clock = virtualClock()
  let pausedMs = 0
  return {
    clock: { ...clock, monotonic: () => clock.monotonic() + pausedMs, wall: () => clock.wall() + pausedMs },
    pause: (ms: number) => {
      pausedMs += ms
    },
    sleep: clock.suspend,
  }
}

/** One attempt to fetch, whose process is paused for so long, or its machine sleeps, before its request is sent. */
function fetching(pausedMs: number, sleptMs = 0) {
  const { clock, pause, sleep } = pausable()
  const kernel = kernelOn(clock)
  const happened: Happening[] = []
  const sent: string[] = []
  const credential = {
    key: 'k',
    policy: defaultPolicy,
    isRejected: () => false,
    async fetch({ assertInTime }: { assertInTime(): void }) {
      pause(pausedMs)
      sleep(sleptMs)
      assertInTime()
      sent.push('a')
      return { value: 'a', expiresInMs: 60_000 }
    },
  }
  const effects = new Effects(kernel, credential, {
    attempts: 'process.0',
    serving: false,
    report: (happening) => happened.push(happening),
    performed() {},
  })
  const perform = async (untilMs: number) => {
    const deadline = clock.monotonic() + untilMs
    effects.perform({ type: 'fetch', attempt: 1, graceMs: 0, detached: false, previous: undefined, deadline })
    await effects.whenIdle()
  }
  return { perform, happened, sent }
}

const LATE = { type: 'fetch-failed', outcome: 'failed', failure: { code: 'UPSTREAM_UNAVAILABLE' } }

test('a process that was paused right before its request does not send it', async () => {
  const { perform, happened, sent } = fetching(7_000)
  await perform(7_000)
  expect(sent).toEqual([])
  expect(happened).toMatchObject([LATE])
  await perform(7_001)
  expect(sent).toEqual(['a'])
})

test('what the machine slept before a request counts as time that has passed', async () => {
  const { perform, happened, sent } = fetching(1_000, 6_000)
  await perform(7_000)
  expect(sent).toEqual([])
  expect(happened).toMatchObject([LATE])
  await perform(7_001)
  expect(sent).toEqual(['a'])
})

// Whoever looks at the record once more with the lease in hand may find, awake again, that the lease is over. A clock takes no time in the past.
test('a fetch whose deadline has passed before it begins sends nothing', async () => {
  const { perform, happened, sent } = fetching(0)
  await perform(-1_116)
  expect(sent).toEqual([])
  expect(happened).toMatchObject([LATE])
})
