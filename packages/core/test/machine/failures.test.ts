import type { Snapshot } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { backoffMs } from '../../src/machine/policy.ts'
import { ask, Bench, emptySnapshot, failure, fatal, sharesWhatItFetchedAlone } from './support.ts'

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

/** Fetches so often without the store in vain. */
function failsAlone(bench: Bench, times: number): void {
  bench.waiting = true
  for (let each = 0; each < times; each += 1) {
    bench.send({ type: each === 0 ? 'wanted' : 'woke' })
    bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
    bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
    bench.now = retryAt(bench)
  }
}

function retryAt({ state: { activity } }: Bench): number {
  return activity.kind === 'cooling' ? activity.retryAt : Number.NaN
}

/** The store grants the lease, and the fetch fails. @returns how long is waited then, milliseconds */
function failsWithLease(bench: Bench, snapshot: Partial<Snapshot>): number {
  bench.send({ type: 'woke' })
  bench.claimGranted(1_000, snapshot)
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  return bench.must('settle').backoffMs
}

test('a process that reaches the store now and then does not begin anew each time', () => {
  const bench = new Bench()
  failsAlone(bench, 4)
  const waitMs = failsWithLease(bench, { backoff: { retryInMs: 0, failure: '', failures: 1 } })
  expect(waitMs).toBe(backoffMs(5, bench.chance, failure, bench.policy))
})

test('what others have failed more often counts as well', () => {
  const bench = new Bench()
  failsAlone(bench, 2)
  const waitMs = failsWithLease(bench, { backoff: { retryInMs: 0, failure: '', failures: 5 } })
  expect(waitMs).toBe(backoffMs(6, bench.chance, failure, bench.policy))
})

test('however often it reaches the store in between', () => {
  const bench = new Bench()
  const record = { version: 50, value: 'ended', backoff: { retryInMs: 0, failure: '', failures: 1 } }
  failsAlone(bench, 2)
  expect(failsWithLease(bench, record)).toBe(backoffMs(3, bench.chance, failure, bench.policy))
  bench.now = retryAt(bench)
  failsAlone(bench, 2)
  expect(failsWithLease(bench, record)).toBe(backoffMs(6, bench.chance, failure, bench.policy))
})

test('what others have brought since the store was asked ends a row that only this process knows of, though it is over or rejected by now', () => {
  for (const brought of [{ expiresInMs: 0 }, { expiresInMs: LIFE, rejectedUpTo: 50 }]) {
    const bench = new Bench()
    failsAlone(bench, 4)
    failsWithLease(bench, { version: 40, value: 'a', expiresInMs: 0 })
    bench.now = retryAt(bench)
    const waitMs = failsWithLease(bench, { version: 50, value: 'b', ...brought })
    expect(waitMs).toBe(backoffMs(1, bench.chance, failure, bench.policy))
  }
})

test('a token that was fetched without the store ends the row, and what the store had counted before', () => {
  const bench = new Bench()
  sharesWhatItFetchedAlone(bench)
  expect(bench.state.trouble.failures).toBe(0)
})

test('a token from the store ends the row, too', () => {
  const bench = new Bench()
  failsAlone(bench, 4)
  const snapshot = emptySnapshot({ version: 50, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', read: false, sentAt: bench.now, snapshot })
  expect(bench.state.trouble.failures).toBe(0)
})

test('what was only waited for is no failed fetch', () => {
  const bench = new Bench()
  bench.waiting = true
  for (let each = 0; each < 4; each += 1) {
    bench.send({ type: each === 0 ? 'wanted' : 'woke' })
    bench.claimGranted(9 + each)
    bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'blocked' })
    bench.must('settle')
    bench.must('await-dependency')
    const before = bench.now
    bench.send({ type: 'block-failed', failure })
    expect(retryAt(bench) - before).toBe(backoffMs(1, bench.chance, failure, bench.policy))
    bench.now = retryAt(bench)
  }
  expect(failsWithLease(bench, {})).toBe(backoffMs(1, bench.chance, failure, bench.policy))
})

test('what is waited for in vain without a claim in between is looked for ever more rarely', () => {
  const bench = new Bench()
  bench.waiting = true
  for (let times = 1; times <= 4; times += 1) {
    bench.send({ type: times === 1 ? 'wanted' : 'woke' })
    bench.send({ type: 'claim-blocked', attempt: bench.must('claim').attempt, failure })
    bench.take('read')
    bench.send({ type: 'read-failed' })
    bench.must('await-dependency')
    const before = bench.now
    bench.send({ type: 'block-failed', failure })
    expect(retryAt(bench) - before).toBe(backoffMs(times, bench.chance, failure, bench.policy))
    bench.now = retryAt(bench)
  }
  expect(failsWithLease(bench, {})).toBe(backoffMs(1, bench.chance, failure, bench.policy))
})

test('a store that grants too late is claimed from ever more rarely', () => {
  const bench = new Bench()
  bench.waiting = true
  for (let times = 1; times <= 4; times += 1) {
    bench.send({ type: times === 1 ? 'wanted' : 'woke' })
    const { attempt } = bench.must('claim')
    const sentAt = bench.now
    bench.now += 7_900
    const claim = { kind: 'granted' as const, fence: times, takeover: false, snapshot: emptySnapshot({ lease: { expiresInMs: 8_000 } }) }
    bench.send({ type: 'claimed', attempt, sentAt, claim, failure: undefined })
    bench.must('settle')
    expect(retryAt(bench) - bench.now).toBe(backoffMs(times, bench.chance, failure, bench.policy))
    bench.now = retryAt(bench)
  }
})
