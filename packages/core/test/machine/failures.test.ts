import { expect, test } from 'vitest'
import { ask, Bench, emptySnapshot, failure, fatal } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test('a failure that no retry can help fails callers at once; one that may pass lets them wait, unless it outlasts their patience', () => {
  for (const [why, expected] of [
    [fatal, 'fail'],
    [failure, 'wait'],
  ] as const) {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.claimGranted()
    bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: why, outcome: 'failed' })
    expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
    expect(ask(bench).kind).toBe(expected)
    expect(ask(bench, { until: bench.now + 10 }).kind).toBe('fail')
    expect(ask(bench, { until: bench.now + 10 * MINUTE }).kind).toBe(expected)
  }
})

test('a fetch that lacks something releases its lease before it waits', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(9)
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'blocked' })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 9, backoffMs: 0 }, { type: 'await-dependency' }])
  bench.must('await-dependency')
  bench.send({ type: 'unblocked' })
  bench.must('claim')
})

test('with a backoff in force nobody waits for something newer', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 30_000
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: 30_000 })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a' } })
})

test('a failure that others have had is waited out, and the next one here counts after theirs', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const backoff = { retryInMs: 20_000, failure: '', failures: 3 }
  const claim = { kind: 'backoff' as const, snapshot: emptySnapshot({ backoff }) }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim, failure })
  bench.now += 20_000
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  // Not all who have waited for it come at once.
  bench.now += 100
  bench.send({ type: 'woke' })
  bench.claimGranted(30, { backoff: { ...backoff, retryInMs: 0 } })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  expect(bench.must('settle').backoffMs).toBe(3_000)
})
