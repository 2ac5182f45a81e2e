import { expect, test } from 'vitest'
import { usableToken } from '../../src/machine/state.ts'
import { ask, Bench, emptySnapshot, failure, sharesWhatItFetchedAlone } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

/** A process that has `a` under version 10 and has just reported it. */
function reported(): Bench {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.done = []
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  return bench
}

function answer(bench: Bench, snapshot: Parameters<typeof emptySnapshot>[0]): void {
  const { version } = bench.must('invalidate')
  const whole = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE, ...snapshot })
  bench.send({ type: 'invalidated', version, sentAt: bench.now, snapshot: whole })
}

const told = (bench: Bench) =>
  bench.done.flatMap((effect) => (effect.type === 'notify' && effect.notice.type === 'rejected' ? [effect.notice] : []))

test('a report of an older version is about the one that has the same value now, unless the upstream has vouched for that just now', () => {
  for (const [value, isVouched, isTold] of [
    ['a', false, true],
    ['another', false, false],
    ['a', true, false],
  ] as const) {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: LIFE, ...(isVouched && { rejectedUpTo: 10 }) })
    bench.fetched('a')
    bench.publishAccepted()
    bench.send({ type: 'rejected', version: 10, value })
    expect(bench.take('invalidate')?.version).toBe(isTold ? 20 : undefined)
  }
})

test.each([
  ['nothing', undefined],
  ['another', 'b'],
])(
  'what was reported while the store was down is not served under another version, with %s fetched meanwhile, until it is fetched here',
  (_, alone) => {
    const bench = new Bench()
    bench.minted('a', 10)
    bench.waiting = true
    bench.send({ type: 'rejected', version: 10, value: 'a' })
    bench.send({ type: 'invalidate-failed', version: bench.must('invalidate').version })
    bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
    if (alone !== undefined) bench.fetched(alone, 90_000)
    else bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
    bench.now += 60_000
    bench.send({ type: 'woke' })
    const twin = emptySnapshot({ version: 20, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE })
    const claim = { kind: 'fresh', snapshot: twin } as const
    bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim, failure: undefined })
    expect(usableToken(bench.state, bench.now)).toBeUndefined()
    expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 20 }])
    bench.claimGranted(30, { version: 20, value: 'a', expiresInMs: LIFE })
    bench.fetched('a')
    expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'a', version: 30 })
  },
)

test('a rejection that took the token is told once and brings one claim', () => {
  const bench = reported()
  answer(bench, { rejectedUpTo: 10 })
  expect(told(bench)).toEqual([{ type: 'rejected', version: 10 }])
  expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 10 }])
})

test('what is known to be rejected is not reported again', () => {
  const bench = reported()
  answer(bench, { rejectedUpTo: 10 })
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  expect(bench.take('invalidate')).toBeUndefined()
})

test('another value under a newer version is nobody’s dead value: it is served, and nothing is told', () => {
  const bench = reported()
  answer(bench, { version: 20, value: 'b', rejectedUpTo: 10 })
  expect(bench.outstanding).toEqual([])
  expect(bench.state.token).toMatchObject({ value: 'b', version: 20 })
  expect(told(bench)).toEqual([])
})

test('a token from which the fleet has gone on is served no more, although what came after it has ended', () => {
  const bench = reported()
  answer(bench, { version: 20, value: 'b', renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 })
  expect(usableToken(bench.state, bench.now)).toBeUndefined()
  expect(told(bench)).toEqual([{ type: 'rejected', version: 10 }])
  expect(bench.must('claim')).toMatchObject({ rejected: 10 })
})

test('the dead value under a newer version is reported too when a read has brought it before the answer to the report', () => {
  const bench = reported()
  const twin = { version: 20, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE }
  bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot(twin), read: true })
  expect(bench.state.token).toMatchObject({ value: 'a', version: 20 })
  answer(bench, { ...twin, rejectedUpTo: 10 })
  expect(bench.outstanding).toMatchObject([{ type: 'invalidate', version: 20 }])
  answer(bench, { ...twin, rejectedUpTo: 20 })
  expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 20 }])
})

test.each([
  ['the dead value', 'a', 20],
  ['another value', 'b', 10],
])('%s under a newer version that a read has brought before a report found no store', (_, value, rejected) => {
  const bench = reported()
  const { version } = bench.must('invalidate')
  const next = emptySnapshot({ version: 20, value, renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt: bench.now, snapshot: next, read: true })
  bench.send({ type: 'invalidate-failed', version })
  expect(bench.state).toMatchObject({ rejected })
  expect(usableToken(bench.state, bench.now)?.value).toBe(value === 'a' ? undefined : value)
  expect(bench.take('claim')?.rejected).toBe(value === 'a' ? 20 : undefined)
})

test('what the upstream has vouched for while the answer to a report of it was lost is served on', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.waiting = true
  bench.now = (bench.state.token?.renewAt ?? 0) + 1
  bench.send({ type: 'wanted' })
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const { version } = bench.must('invalidate')
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.fetched('a')
  bench.publishAccepted()
  bench.send({ type: 'invalidate-failed', version })
  expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'a', version: 20 })
})

test('another value that a read has brought before the answer to the report is not reported', () => {
  const bench = reported()
  const next = { version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE }
  bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot(next), read: true })
  answer(bench, { ...next, rejectedUpTo: 10 })
  expect(bench.outstanding).toEqual([])
  expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'b' })
})

test('the dead value under a newer version that is rejected already is not reported', () => {
  const bench = reported()
  answer(bench, { version: 20, rejectedUpTo: 20 })
  expect(bench.take('invalidate')).toBeUndefined()
  expect(bench.must('claim')).toMatchObject({ rejected: 20 })
})

test('the dead value under its own version is not reported twice, though the store does not call it rejected', () => {
  const bench = reported()
  answer(bench, { rejectedUpTo: 0 })
  expect(bench.outstanding).toEqual([])
  expect(usableToken(bench.state, bench.now)).toMatchObject({ value: 'a' })
  expect(told(bench)).toEqual([])
})

test('a token that only this process knows is rejected without asking the store', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('a')
  bench.waiting = false
  const version = bench.state.token?.version ?? 0
  bench.send({ type: 'rejected', version, value: 'a' })
  expect(bench.take('invalidate')).toBeUndefined()
  expect(bench.state.rejected).toBe(version)
  expect(bench.must('claim')).toMatchObject({ rejected: version })
})

test('a report that the store did not take goes by what is known here, and what is known to be rejected stays so', () => {
  const bench = reported()
  const { version } = bench.must('invalidate')
  bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot({ version: 10, value: 'a', rejectedUpTo: 30 }), read: false })
  bench.send({ type: 'invalidate-failed', version })
  expect(bench.state).toMatchObject({ rejected: 30 })
  expect(bench.state.trouble.rejecting).toBeUndefined()
})

test('a claim that was sent before a report and is answered with what was reported is sent again, and is nobody’s fault', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now = (bench.state.token?.renewAt ?? 0) + 1
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const claim = bench.must('claim')
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  answer(bench, { rejectedUpTo: 10 })
  bench.done = []
  const fresh = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'claimed', attempt: claim.attempt, sentAt: bench.now, claim: { kind: 'fresh', snapshot: fresh }, failure: undefined })
  expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 10 }])
  expect(bench.done.filter((effect) => effect.type === 'notify')).toEqual([])
})

/** The start of a monotonic clock is arbitrary: this one has not come to 0 yet. */
function belowZero(): Bench {
  const bench = new Bench()
  bench.now = -100_000
  return bench
}

test('a report counts whatever moment the clock shows', () => {
  const bench = belowZero()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  expect(bench.must('invalidate')).toMatchObject({ version: 10 })
})

test('what was fetched without the store is shared as nobody’s vouched token whatever moment the clock shows', () => {
  const bench = belowZero()
  sharesWhatItFetchedAlone(bench)
  expect(bench.must('publish')).toMatchObject({ value: 'alone', quietMs: 0 })
})

test('the same value as the rejected one, fetched after the rejection, is published as vouched for and cannot be rejected for a minute', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  bench.send({
    type: 'invalidated',
    version: bench.must('invalidate').version,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 }),
  })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.fetched('a')
  expect(bench.must('publish')).toMatchObject({ fence: 20, quietMs: 60_000 })
  bench.send({ type: 'rejected', version: 20, value: 'a' })
  expect(bench.take('invalidate')).toBeUndefined()
  bench.now += 61_000
  bench.send({ type: 'rejected', version: 20, value: 'a' })
  expect(bench.take('invalidate')).toMatchObject({ version: 20 })
})

test('the same value from a fetch that was under way when the rejection came is not vouched for, and is fetched once more', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 5 * MINUTE
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: 5 * MINUTE, renewInMs: -1 })
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  bench.send({
    type: 'invalidated',
    version: bench.must('invalidate').version,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: 5 * MINUTE, rejectedUpTo: 20 }),
  })
  bench.fetched('a')
  expect(ask(bench).kind).toBe('wait')
  expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 20, quietMs: 0 }])
  bench.publishAccepted()
  expect(bench.must('claim')).toMatchObject({ rejected: 20 })
})

test('the same dead value under a newer version is invalidated too, once', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  bench.must('invalidate')
  bench.send({
    type: 'invalidated',
    version: 10,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 15, value: 'a', expiresInMs: LIFE, renewInMs: LIFE, rejectedUpTo: 10 }),
  })
  expect(bench.must('invalidate').version).toBe(15)
  bench.send({
    type: 'invalidated',
    version: 15,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 15, value: 'a', expiresInMs: LIFE, rejectedUpTo: 15 }),
  })
  expect(bench.take('invalidate')).toBeUndefined()
  expect(bench.take('claim')).toMatchObject({ rejected: 15 })
})

test('a report about an older version, or one already rejected, asks the store for nothing', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 9, value: 'older' })
  bench.send({ type: 'rejected', version: 11, value: 'newer' })
  expect(bench.outstanding).toEqual([])
})

test('a token fetched alone is not shared when an older version was rejected meanwhile: it may be the same dead value', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + 1
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('alone')
  expect(bench.state.token?.version).toBe(11)
  bench.waiting = false
  bench.now += 31_000
  bench.send({ type: 'woke' })
  bench.claimGranted(100, { version: 10, value: 'a', rejectedUpTo: 10 })
  bench.must('fetch')
})

test('a caller that holds a token by the version it had before it was shared can still report it', () => {
  const bench = new Bench()
  sharesWhatItFetchedAlone(bench)
  bench.publishAccepted()
  // A handle on a part of the record knows no more of its value.
  bench.send({ type: 'rejected', version: 1, value: 'a part of it' })
  expect(bench.must('invalidate').version).toBe(100)
})
