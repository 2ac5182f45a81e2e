import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { Effects } from '../../src/effects.ts'
import { Hints } from '../../src/hints.ts'
import type { Happening } from '../../src/machine/happenings.ts'
import { StoreCalls } from '../../src/store-calls.ts'

/** A clock whose process can be paused: time goes on, and no timer has run yet. */
function pausable() {
  const clock = virtualClock()
  let pausedMs = 0
  return {
    clock: { ...clock, monotonic: () => clock.monotonic() + pausedMs, wall: () => clock.wall() + pausedMs },
    pause: (ms: number) => {
      pausedMs += ms
    },
  }
}

test('a process that was paused right before its request does not send it', async () => {
  const { clock, pause } = pausable()
  const calls = new StoreCalls(memoryStore({ clock }), 'test', 1_000, clock)
  const kernel = { clock, calls, hints: new Hints(calls, clock, false), random: { fraction: () => 0, id: () => 'process' }, tell: () => {} }
  const happened: Happening[] = []
  let sent = 0
  const credential = {
    key: 'k',
    isRejected: () => false,
    async fetch({ assertInTime }: { assertInTime(): void }) {
      pause(7_000)
      assertInTime()
      sent += 1
      return { value: 'a', expiresInMs: 60_000 }
    },
  }
  const effects = new Effects(kernel, credential, (happening) => happened.push(happening))
  const fetch = { type: 'fetch', attempt: 1, graceMs: 0, detached: false, previous: undefined } as const
  effects.perform({ ...fetch, deadline: clock.monotonic() + 7_000 })
  await effects.whenIdle()
  expect(sent).toBe(0)
  expect(happened).toMatchObject([{ type: 'fetch-failed', outcome: 'failed', failure: { code: 'UPSTREAM_UNAVAILABLE' } }])
  effects.perform({ ...fetch, deadline: clock.monotonic() + 7_001 })
  await effects.whenIdle()
  expect(sent).toBe(1)
})
