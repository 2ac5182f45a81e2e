import { expect, test } from 'vitest'
import { ask, Bench, emptySnapshot, failure } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test('a holder that was paused past its deadline gives the lease up and claims again, after a pause, instead of sending a request', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const sentAt = bench.now
  bench.now += 7_300
  const snapshot = emptySnapshot({ lease: { expiresInMs: 8_000 } })
  bench.send({ type: 'claimed', attempt, sentAt, claim: { kind: 'granted', fence: 5, takeover: false, snapshot }, failure: undefined })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 5, backoffMs: 0 }])
  bench.now += 500
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test('a claim that was not answered is claimed again as the same one, so that a grant made late is its own', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  bench.send({ type: 'claim-failed', attempt, failure })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt }])
  bench.claimGranted(50)
  bench.fetched('a')
  bench.publishAccepted()
  bench.now += LIFE
  bench.send({ type: 'wanted' })
  expect(bench.must('claim').attempt).toBeGreaterThan(attempt)
})

/** A claim that is not answered, and the one after it, which is the same. */
function claimedAgain(bench: Bench): number {
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  if (bench.take('fetch')) bench.send({ type: 'fetch-failed', attempt: bench.state.attempts, failure, outcome: 'failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  const { attempt } = bench.must('claim')
  bench.outstanding.unshift({ type: 'claim', attempt, leaseMs: 8_000, seen: 0, rejected: 0 })
  return attempt
}

test('a lease granted late, when a fresh token is there already, is given back', () => {
  const bench = new Bench()
  bench.waiting = true
  claimedAgain(bench)
  bench.claimGranted(50, { version: 40, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'b' } })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 50, backoffMs: 0 }])
})

test('a lease granted late, whose fence a rejection covers, is given back and claimed anew', () => {
  const bench = new Bench()
  bench.waiting = true
  const attempt = claimedAgain(bench)
  bench.claimGranted(50, { version: 40, value: 'b', expiresInMs: LIFE, rejectedUpTo: 50 })
  expect(bench.must('settle')).toMatchObject({ attempt, fence: 50, backoffMs: 0 })
  expect(bench.must('claim')).toMatchObject({ attempt: attempt + 1, rejected: 50 })
  expect(bench.outstanding).toEqual([])
})

test('a grant that something newer has overtaken on its way is given back and claimed anew, and is nobody’s fault', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const sentAt = bench.now
  const newer = emptySnapshot({ version: 30, value: 'b', renewInMs: -1, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt, snapshot: newer, read: true })
  const snapshot = emptySnapshot({ lease: { expiresInMs: 8_000 } })
  bench.send({ type: 'claimed', attempt, sentAt, claim: { kind: 'granted', fence: 20, takeover: false, snapshot }, failure: undefined })
  expect(bench.outstanding).toMatchObject([
    { type: 'settle', fence: 20, backoffMs: 0 },
    { type: 'claim', seen: 30 },
  ])
  expect(bench.done.some((effect) => effect.type === 'notify' && effect.notice.type === 'detached')).toBe(false)
})

test('a fence that is not above what was served is not published under, whatever the store says', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + MINUTE
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  expect(bench.must('settle')).toMatchObject({ fence: 10, backoffMs: 0 })
  bench.fetched('b')
  expect(bench.take('publish')).toBeUndefined()
  expect(bench.state.token).toMatchObject({ value: 'b', version: 11, published: false })
})
