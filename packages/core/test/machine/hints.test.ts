import { expect, test } from 'vitest'
import { answered, ask, Bench, emptySnapshot, failure, HELD } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test.each([[undefined], [0], [20]])(
  'a hint of version %s that comes while a claim is under way makes an answer that another holds the lease be asked for once more, and once only',
  (version) => {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'changed', ...(version !== undefined && { version }) })
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 1 }])
    answered(bench, HELD)
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
    answered(bench, HELD)
    expect(bench.outstanding).toEqual([])
    expect(bench.state.activity).toMatchObject({ kind: 'following' })
  },
)

test.each(['untried', 'off'] as const)(
  'hints that were %s when a claim was sent and are on when it is answered that another holds the lease: what they did not tell is asked for',
  (before) => {
    const bench = new Bench()
    bench.hints = before
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.hints = 'on'
    answered(bench, HELD)
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
    answered(bench, HELD)
    expect(bench.outstanding).toEqual([])
    expect(bench.state.activity).toMatchObject({ kind: 'following' })
  },
)

test('a newer version that is announced while a claim is under way is read at once if the answer is to wait out a failure', () => {
  for (const version of [10, 20]) {
    const bench = new Bench()
    bench.minted('a', 10)
    bench.now = (bench.state.token?.renewAt ?? 0) + 1
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'changed', version })
    answered(bench, { kind: 'backoff', snapshot: emptySnapshot({ backoff: { retryInMs: 60_000, failure: '', failures: 1 } }) })
    expect(bench.outstanding).toMatchObject(version > 10 ? [{ type: 'read' }] : [])
    expect(bench.state.activity).toMatchObject({ kind: 'cooling' })
  }
})

test('a hint whose read fails is not forgotten: the store is probed until it answers', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 20 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.send({ type: 'read-failed' })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a' } })
  expect(bench.outstanding).toEqual([])
  bench.now += 1_000
  bench.send({ type: 'woke' })
  const { attempt } = bench.must('claim')
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'claimed', attempt, sentAt: bench.now, claim: { kind: 'fresh', snapshot }, failure: undefined })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'b' } })
})

test('a hint whose read fails while nobody asks is looked into by the next caller', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 20 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.asked = false
  bench.send({ type: 'read-failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'wanted' })
  bench.must('read')
})

test('a hint that the store is back brings the probe of a store that was down nearer', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  for (let probe = 0; probe < 8; probe += 1) {
    bench.send({ type: 'changed' })
    bench.send({ type: 'wanted' })
    if (bench.take('read')) bench.send({ type: 'read-failed' })
    bench.now += 30_000
    bench.send({ type: 'woke' })
    const claim = bench.take('claim')
    if (claim) bench.send({ type: 'claim-failed', attempt: claim.attempt, failure })
  }
  bench.send({ type: 'changed' })
  bench.now += 500
  expect(bench.wakeDue()).toBe(true)
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test('a hint that comes while the record is read is looked into once more', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 10 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.send({ type: 'changed', version: 10 })
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'wanted' })
  bench.must('read')
})
