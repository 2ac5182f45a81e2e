import { expect, test } from 'vitest'
import type { Notice } from '../../src/machine/happenings.ts'
import type { Policy } from '../../src/machine/policy.ts'
import { verdict } from '../../src/machine/verdict.ts'
import { Bench, emptySnapshot, failure, policy, rotating } from './support.ts'

const LIFE = 7_200_000

/** A process that fetches under fence 10, with a caller waiting. */
function fetching(given: Policy = policy): Bench {
  const bench = new Bench(given)
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  return bench
}

const told = (bench: Bench): Notice['type'][] => bench.done.flatMap((effect) => (effect.type === 'notify' ? [effect.notice.type] : []))

test('what was overtaken while it was fetched is neither served nor published, and its lease is given back', () => {
  const bench = fetching()
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
  bench.fetched('a')
  expect(bench.state).toMatchObject({ token: { value: 'b', version: 20 }, seen: 20, activity: { kind: 'idle' } })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 10, backoffMs: 0 }])
})

test('a token that has ended when it arrives is given to nobody, and the fleet waits before the next one', () => {
  const bench = fetching()
  const sentAt = bench.now
  bench.now += 2_000
  bench.send({ type: 'fetched', attempt: bench.must('fetch').attempt, sentAt, value: 'a', expiresInMs: 2_000 })
  expect(bench.state.token).toBeUndefined()
  expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
  const need = { minLifeMs: 0, since: bench.now, until: bench.now + 15_000 }
  expect(verdict(bench.state, need, bench.now, policy).kind).toBe('wait')
})

test('a token with just the life that is worth sharing is shared', () => {
  const bench = fetching()
  bench.fetched('a', policy.minimumLifeMs)
  expect(bench.must('publish')).toMatchObject({ value: 'a' })
})

test('of what is made anew for every request, one made after a rejection is vouched for, and no other', () => {
  const bench = fetching(rotating)
  bench.fetched('a')
  expect(bench.outstanding).toMatchObject([{ type: 'publish', quietMs: 0 }])
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.send({ type: 'invalidated', version: bench.must('invalidate').version, sentAt: bench.now, snapshot })
  bench.claimGranted(20, snapshot)
  bench.fetched('b')
  expect(bench.outstanding).toMatchObject([{ type: 'publish', value: 'b', basedOn: 10, quietMs: 60_000 }])
})

test.each([
  [0, true],
  [9_000, true],
  [11_000, false],
])('what replaces a rejected token is not rejected for ten seconds, though it be another: after %i ms it stays: %s', (afterMs, isQuiet) => {
  const bench = fetching()
  bench.fetched('a')
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.send({ type: 'invalidated', version: bench.must('invalidate').version, sentAt: bench.now, snapshot })
  bench.claimGranted(20, snapshot)
  bench.fetched('b')
  expect(bench.outstanding).toMatchObject([{ type: 'publish', value: 'b', quietMs: 10_000 }])
  expect(told(bench)).not.toContain('vouched')
  bench.publishAccepted()
  bench.now += afterMs
  bench.send({ type: 'rejected', version: 20, value: 'b' })
  expect(bench.take('invalidate') === undefined).toBe(isQuiet)
})

test('that a token was renewed is told, and that the upstream vouches for it', () => {
  const bench = fetching()
  bench.fetched('a')
  expect(told(bench)).toEqual(['granted', 'renewed'])
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.send({ type: 'invalidated', version: bench.must('invalidate').version, sentAt: bench.now, snapshot })
  bench.claimGranted(20, snapshot)
  bench.fetched('a')
  expect(told(bench).slice(-2)).toEqual(['renewed', 'vouched'])
})

test.each([
  [59_000, true],
  [61_000, false],
])('the upstream vouches for what was rejected when it is asked: after %i ms that is worth something: %s', (agoMs, quiet) => {
  const bench = fetching()
  const rejected = { version: 5, value: 'a', expiresInMs: LIFE, rejectedUpTo: 5 }
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  bench.now += 60_000
  bench.done = []
  bench.send({ type: 'woke' })
  bench.claimGranted(20, rejected)
  bench.send({ type: 'fetched', attempt: bench.must('fetch').attempt, sentAt: bench.now - agoMs, value: 'a', expiresInMs: LIFE })
  expect(bench.outstanding).toContainEqual(expect.objectContaining({ type: 'publish', quietMs: quiet ? 60_000 : 0 }))
  expect(told(bench).includes('vouched')).toBe(quiet)
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 20, value: 'a' })
  expect(bench.take('invalidate') === undefined).toBe(quiet)
})
