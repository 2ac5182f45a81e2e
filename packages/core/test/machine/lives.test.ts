import { expect, test } from 'vitest'
import { answered, ask, Bench, emptySnapshot, fatal } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test('past the renewal point and below the floor a caller waits a second for something newer, then gets the old token', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 30_000
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const since = bench.now
  expect(ask(bench, { since })).toEqual({ kind: 'wait', again: since + 1_000 })
  bench.now += 1_000
  expect(ask(bench, { since })).toMatchObject({ kind: 'serve', token: { value: 'a' } })
})

test('a token that hardly lives is given to its callers, not to the fleet, and not fetched again at once', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('brief', 10_000)
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'brief' } })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 5 }])
  expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
})

test('a claim says that a version which has ended on this node is not fresh', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + 1
  bench.waiting = true
  bench.send({ type: 'wanted' })
  expect(bench.must('claim')).toMatchObject({ seen: 10, rejected: 10 })
})

/** A claim that is answered after so long that another has published a value, which ends just before the answer is here. */
function endedOnItsWay(tookMs: number, waiting: boolean): Bench {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.waiting = waiting
  const sentAt = bench.now
  bench.now += tookMs
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: 1_000, expiresInMs: tookMs - 1 })
  answered(bench, { kind: 'fresh', snapshot }, sentAt)
  return bench
}

const blamed = (bench: Bench) =>
  bench.done.flatMap((effect) => (effect.type === 'notify' && effect.notice.type === 'detached' ? [effect.notice.failure.code] : []))

test('a value called fresh that has ended while the process stood still is claimed anew for whoever waits, and is nobody’s fault', () => {
  const bench = endedOnItsWay(5_001, true)
  expect(blamed(bench)).toEqual([])
  expect(bench.state.trouble.failure).toBeUndefined()
  expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 20 }])
  const alone = endedOnItsWay(5_001, false)
  expect(blamed(alone)).toEqual([])
  expect(alone.outstanding).toEqual([])
  expect(alone.state.activity).toMatchObject({ kind: 'idle' })
})

test('a value called fresh that has ended though the answer is not old is the fault of a clock, and is said to be', () => {
  const bench = endedOnItsWay(5_000, true)
  expect(blamed(bench)).toEqual(['STORE_INCOMPATIBLE'])
  expect(bench.outstanding).toMatchObject([{ type: 'fetch', detached: true }])
  const alone = endedOnItsWay(5_000, false)
  expect(blamed(alone)).toEqual(['STORE_INCOMPATIBLE'])
  expect(alone.state.activity).toMatchObject({ kind: 'detached' })
})

test('after a sleep a report is for the store to judge, whatever the upstream has vouched for before it', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.fetched('a')
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 20, value: 'a' })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'doubted' })
  const snapshot = emptySnapshot({ version: 20, value: 'a', renewInMs: LIFE / 4, expiresInMs: LIFE / 2, rejectedUpTo: 10 })
  bench.must('read')
  bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
  bench.now += 1
  bench.send({ type: 'rejected', version: 20, value: 'a' })
  expect(bench.must('invalidate').version).toBe(20)
})

test('while the clocks disagree the token is not served, and one read brings it back with the earlier of the two ends', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  const end = bench.state.token?.expiresAt
  bench.send({ type: 'doubted' })
  bench.send({ type: 'doubted' })
  expect(ask(bench).kind).toBe('wait')
  bench.must('read')
  expect(bench.take('read')).toBeUndefined()
  bench.send({
    type: 'told',
    sentAt: bench.now,
    read: true,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE * 2, renewInMs: LIFE }),
  })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { expiresAt: end } })
})

test('a wait that is doubted ends for the next caller, who is told by the store what is left of it; one that is over stays so', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted()
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: fatal, outcome: 'failed' })
  expect(ask(bench)).toEqual({ kind: 'fail', failure: fatal })
  bench.send({ type: 'doubted' })
  expect(bench.state.activity).toMatchObject({ kind: 'cooling', retryAt: bench.now })
  expect(ask(bench).kind).toBe('wait')
  bench.now += 10
  bench.send({ type: 'doubted' })
  expect(bench.state.activity).toMatchObject({ retryAt: bench.now - 10 })

  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const snapshot = emptySnapshot({ backoff: { retryInMs: 4 * MINUTE, failure: '', failures: 1 } })
  bench.send({ type: 'claimed', attempt, sentAt: bench.now, claim: { kind: 'backoff', snapshot }, failure: fatal })
  expect(bench.state.activity).toMatchObject({ kind: 'cooling', retryAt: bench.now + 4 * MINUTE + 50 })
})

test('an idle key lapses when it falls due, and the next caller starts the renewal while it is served', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.asked = false
  bench.now += LIFE - 5 * MINUTE
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  expect(bench.wakeDue()).toBe(false)
  expect(ask(bench).kind).toBe('serve')
  bench.send({ type: 'wanted' })
  bench.must('claim')
})

test('a token whose life is shorter than the caller asks is no reason to fetch again before it is due', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'wanted' })
  expect(ask(bench, { minLifeMs: LIFE + 1 })).toMatchObject({ kind: 'short' })
  expect(bench.outstanding).toEqual([])
})

test('what a snapshot says of a life counts from when the store was asked, not from when it answered', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  const sentAt = bench.now
  bench.now += 900
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt, snapshot, read: true })
  const { token } = bench.state
  expect(token).toMatchObject({ version: 20, expiresAt: sentAt + LIFE })
  expect(token?.renewAt).toBeGreaterThanOrEqual(sentAt + LIFE / 2)
  expect(token?.renewAt).toBeLessThanOrEqual(sentAt + LIFE / 2 + 5_000)
})

test('processes that have a token from the store do not come for the next one in the same instant', () => {
  const renewAt = [0, 0.5, 0.99].map((chance) => {
    const bench = new Bench()
    bench.chance = chance
    const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
    bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
    return (bench.state.token?.renewAt ?? 0) - bench.now
  })
  expect(renewAt).toEqual([LIFE / 2, LIFE / 2 + 2_500, LIFE / 2 + 4_950])
})

test('nor do they where the store, its clock set back, would put the renewal off beyond the end that they know', () => {
  const renewals = [0, 0.5, 0.99].map((chance) => {
    const bench = new Bench()
    bench.chance = chance
    const told = (renewInMs: number, expiresInMs: number) => {
      const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs, expiresInMs })
      bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
    }
    told(10 * MINUTE, 20 * MINUTE)
    const end = bench.now + 20 * MINUTE
    bench.now += MINUTE
    told(39 * MINUTE, 49 * MINUTE)
    expect(bench.state.token?.expiresAt).toBe(end)
    return end - (bench.state.token?.renewAt ?? 0)
  })
  // The last minute is the policy's floor; what a claim says of a token that it must not be answered with begins there.
  expect(renewals).toEqual([MINUTE, MINUTE - 2_500, MINUTE - 4_950])
})

test('the life of what was fetched counts from when it was asked for', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  const sentAt = bench.now
  bench.now += 3_000
  bench.send({ type: 'fetched', attempt: bench.must('fetch').attempt, sentAt, value: 'a', expiresInMs: LIFE })
  expect(bench.must('publish')).toMatchObject({ expiresAt: sentAt + LIFE })
})
