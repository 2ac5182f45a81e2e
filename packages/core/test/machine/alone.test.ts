import { expect, test } from 'vitest'
import { usableToken } from '../../src/machine/state.ts'
import { ask, Bench, emptySnapshot, failure, policy } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test('without the store a process fetches for itself, and shares the token later only if nothing was rejected meanwhile', () => {
  for (const rejectedUpTo of [0, 50]) {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
    expect(bench.outstanding).toMatchObject([{ type: 'fetch', detached: true }])
    bench.fetched('alone')
    expect(bench.take('publish')).toBeUndefined()
    expect(bench.state).toMatchObject({ activity: { kind: 'detached' }, token: { version: 1, published: false } })
    bench.waiting = false
    bench.asked = false
    bench.now += 31_000
    bench.send({ type: 'woke' })
    bench.claimGranted(100, { rejectedUpTo })
    expect(bench.outstanding).toMatchObject(rejectedUpTo === 0 ? [{ type: 'publish', fence: 100, value: 'alone' }] : [{ type: 'fetch' }])
  }
})

test('a token fetched alone ranks above everything that this process knows rejected', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const snapshot = emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 50 })
  bench.send({ type: 'invalidated', version: bench.must('invalidate').version, sentAt: bench.now, snapshot })
  bench.waiting = true
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('alone')
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { version: 51 } })
})

test('what a process fetches without the store in place of what it has reported stays for ten seconds, and for what is left of them once it is shared', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.waiting = true
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  bench.send({ type: 'invalidate-failed', version: bench.must('invalidate').version })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('b')
  bench.send({ type: 'rejected', version: 11, value: 'b' })
  expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'b', quietUntil: bench.now + 10_000 })
  bench.now += 4_000
  bench.send({ type: 'woke' })
  bench.claimGranted(100, { version: 10, value: 'a', expiresInMs: LIFE })
  expect(bench.outstanding).toMatchObject([{ type: 'publish', value: 'b', quietMs: 6_000 }])
})

test.each([
  ['is dead', 10, 61_000, undefined],
  ['is dead, unless the upstream has vouched for it just now', 10, 1_000, 'a'],
  ['is dead, unless it is good as far as the store knows', 9, 61_000, 'a'],
])('what it has fetched for itself is the value that the store calls rejected: it %s', (_, rejectedUpTo, passedMs, served) => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.waiting = true
  // It has rejected more by itself than the store knows of.
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  bench.send({ type: 'invalidate-failed', version: bench.must('invalidate').version })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('a')
  expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'a', version: 11, published: false })
  bench.now += passedMs
  bench.send({ type: 'wanted' })
  bench.send({ type: 'woke' })
  const snapshot = emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo, lease: { expiresInMs: 5_000 } })
  bench.send({
    type: 'claimed',
    attempt: bench.must('claim').attempt,
    sentAt: bench.now,
    claim: { kind: 'held', snapshot },
    failure: undefined,
  })
  expect(usableToken(bench.state, bench.now)?.value).toBe(served)
})

test('without the store a request has as long as with it, and no longer', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  expect(bench.must('fetch')).toMatchObject({ detached: true, deadline: bench.now + policy.requestTimeoutMs })
})
