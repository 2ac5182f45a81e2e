import { expect, test } from 'vitest'
import type { Notice } from '../../src/machine/happenings.ts'
import type { Policy } from '../../src/machine/policy.ts'
import { ask, Bench, emptySnapshot, failure, policy, rotating } from './support.ts'

const LIFE = 7_200_000

/** A process whose publication of `a` under fence 10 is under way. */
function publishing(given: Policy = policy, lifeMs = LIFE): Bench {
  const bench = new Bench(given)
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  bench.fetched('a', lifeMs)
  bench.waiting = false
  bench.done = []
  return bench
}

function fail(bench: Bench): void {
  bench.send({ type: 'publish-failed', attempt: bench.must('publish').attempt, failure })
}

const told = (bench: Bench, type: Notice['type']) =>
  bench.done.flatMap((effect) => (effect.type === 'notify' && effect.notice.type === type ? [effect.notice] : []))

test('that something newer was there is told, that a publication was accepted is not', () => {
  const accepted = publishing()
  accepted.publishAccepted()
  expect(told(accepted, 'superseded')).toEqual([])

  const bench = publishing()
  const snapshot = emptySnapshot({ version: 30, value: 'c', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({
    type: 'published',
    attempt: bench.must('publish').attempt,
    sentAt: bench.now,
    publication: { kind: 'superseded', snapshot },
  })
  expect(told(bench, 'superseded')).toEqual([{ type: 'superseded', version: 30 }])
  expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { value: 'c', version: 30 } })
})

test('the answer to a publication of before ends no other one', () => {
  const bench = publishing()
  const { attempt } = bench.must('publish')
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'published', attempt: attempt - 1, sentAt: bench.now, publication: { kind: 'accepted', snapshot } })
  expect(bench.state.activity).toMatchObject({ kind: 'publishing', attempt })
})

test('a publication without an answer is repeated ever less often', () => {
  const bench = publishing()
  const waits = [1, 2, 3].map(() => {
    fail(bench)
    const { activity } = bench.state
    const retryAt = activity.kind === 'publishing' ? (activity.retryAt ?? 0) : 0
    const waitMs = retryAt - bench.now
    bench.now = retryAt
    bench.send({ type: 'woke' })
    return waitMs
  })
  expect(waits).toEqual([750, 1_500, 3_000])
  expect(told(bench, 'detached')).toHaveLength(3)
})

test('of a used-up secret the publication is repeated once a second for a minute: who takes over waits not much longer', () => {
  const bench = publishing(rotating)
  for (let tries = 0; tries < 60; tries++) {
    fail(bench)
    bench.now += 1_000
    bench.send({ type: 'woke' })
  }
  bench.must('publish')
})

test('a publication whose token has ended is given up, and its lease with it', () => {
  const bench = publishing(policy, 40_000)
  bench.now += 41_000
  fail(bench)
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 10, backoffMs: 0 }])
  expect(bench.state.activity).toMatchObject({ kind: 'idle' })
})

test('a publication that ends with its process lets the lease of a used-up secret run out, and gives back any other', () => {
  for (const [given, effects] of [
    [rotating, []],
    [policy, [{ type: 'settle', fence: 10, backoffMs: 0 }]],
  ] as const) {
    const bench = publishing(given, 40_000)
    bench.now += 41_000
    bench.send({ type: 'close', finish: false })
    fail(bench)
    expect(bench.outstanding).toMatchObject(effects)
    expect(bench.state.activity).toEqual({ kind: 'closed' })
  }
})

test.each(['before', 'after'])('one that fails %s its process is told to close is not waited for, and its lease is given back', (when) => {
  const bench = publishing()
  if (when === 'before') fail(bench)
  bench.send({ type: 'close', finish: true })
  if (when === 'after') fail(bench)
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 10, backoffMs: 0 }])
  expect(bench.state.activity).toEqual({ kind: 'closed' })
})

test('a caller with nothing at hand leads to a claim, a grant to a fetch, a success to a publication under the same fence', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(77)
  bench.fetched('a')
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a', version: 77 } })
  expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 77, value: 'a', quietMs: 0 }])
  bench.publishAccepted()
  expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { published: true } })
})

test('a publication without an answer is sent again under the same attempt and fence, and callers have the token meanwhile', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('a')
  const first = bench.must('publish')
  bench.send({ type: 'publish-failed', attempt: first.attempt, failure })
  expect(ask(bench).kind).toBe('serve')
  expect(bench.wakeDue()).toBe(false)
  bench.now += 31_000
  bench.send({ type: 'woke' })
  expect(bench.must('publish')).toEqual(first)
})

test('an answer that comes when another login has been stored says nothing about that one, whatever the store has lost since', () => {
  const bench = publishing(rotating)
  const told = emptySnapshot({ version: 30, value: 'another login', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt: bench.now, snapshot: told, read: false })
  const snapshot = emptySnapshot({ version: 20, value: 'before', renewInMs: LIFE / 2, expiresInMs: LIFE })
  const { attempt } = bench.must('publish')
  bench.send({ type: 'published', attempt, sentAt: bench.now, publication: { kind: 'superseded', snapshot } })
  bench.now = bench.state.token?.renewAt ?? Number.NaN
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(100, { version: 20, value: 'before' })
  expect(bench.must('fetch').previous).toMatchObject({ value: 'another login', version: 30 })
})

test('superseded: the newer token is taken over', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('late')
  const snapshot = emptySnapshot({ version: 9, value: 'newer', expiresInMs: LIFE, renewInMs: LIFE / 2 })
  bench.send({
    type: 'published',
    attempt: bench.must('publish').attempt,
    sentAt: bench.now,
    publication: { kind: 'superseded', snapshot },
  })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'newer', version: 9 } })
})
