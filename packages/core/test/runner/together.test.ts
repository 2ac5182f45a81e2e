import { virtualClock } from '@tokenwell/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { defaultPolicy, type Policy } from '../../src/machine/policy.ts'
import { Runner } from '../../src/runner.ts'
import { kernelOn } from '../support/kernel.ts'

/** A runner, and its callers: while no promise settles, the store does not answer. */
function callersOf(policy: Policy) {
  const virtual = virtualClock()
  let passedMs = 0
  const clock = { ...virtual, monotonic: () => virtual.monotonic() + passedMs, wall: () => virtual.wall() + passedMs }
  const kernel = kernelOn(clock)
  const fetch = async () => ({ value: 'a', expiresInMs: 3_600_000 })
  const runner = new Runner(kernel, { key: 'k', policy, isRejected: () => false, fetch }, { seen: 0, rejected: 0 }, 0)
  onTestFinished(() => runner.stop())
  return {
    runner,
    clock,
    /** One who comes so much later than the one before. */
    comes(laterMs = 0) {
      passedMs += laterMs
      const since = clock.monotonic()
      return runner.ask({ minLifeMs: 0, since, until: since + 15_000 }, undefined)
    },
  }
}

test('whoever comes within a millisecond of another waits as one with it, once it has begun what it waits for', () => {
  const { runner, comes } = callersOf(defaultPolicy)
  const first = comes()
  expect(comes(0.4)).toBe(first)
  expect(comes(0.4)).toBe(first)
  expect(comes(0.4)).not.toBe(first)
  expect(runner.waiting).toBe(4)
})

test('for what its renewal uses up each is asked for: the refusal that another waits for may be older than its own question', () => {
  const { runner, clock, comes } = callersOf(userPolicy)
  const first = comes()
  expect(comes(0.4)).not.toBe(first)
  expect(runner.waiting).toBe(2)
  expect(runner.state.inquiry.askedAt).toBe(clock.monotonic())
})
