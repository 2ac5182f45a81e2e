import { AssertionError } from 'node:assert'
import { expect, test } from 'vitest'
import { verdict } from '../../src/machine/verdict.ts'
import { Bench, emptySnapshot, failure, fatal, rotating, spent } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

const ask = (bench: Bench, need: { minLifeMs?: number; since?: number; until?: number } = {}) =>
  verdict(bench.state, { minLifeMs: 0, since: bench.now, until: bench.now + 15_000, ...need }, bench.now, bench.policy)

/** A fetch was tried, and failed. */
function failed(bench: Bench, why: typeof failure): Bench {
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(100, { version: 50, value: 'r', rejectedUpTo: 50 })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: why, outcome: 'unspent' })
  if (bench.take('read')) bench.send({ type: 'told', read: true, sentAt: bench.now, snapshot: emptySnapshot({ version: 50, value: 'r' }) })
  return bench
}

function retryAt({ state: { activity } }: Bench): number {
  if (activity.kind !== 'cooling') throw new AssertionError({ message: activity.kind })
  return activity.retryAt
}

test('a token that lives exactly as long as a caller asks is served', () => {
  const bench = new Bench()
  bench.minted()
  expect(ask(bench, { minLifeMs: LIFE })).toMatchObject({ kind: 'serve' })
})

test('a caller whose token is too short is told how long it still lives', () => {
  const bench = new Bench()
  bench.minted()
  bench.now += MINUTE
  expect(ask(bench, { minLifeMs: LIFE })).toEqual({ kind: 'short', lifeMs: LIFE - MINUTE })
})

test('a caller whose token is too short waits for the next if that is due within five seconds and its patience', () => {
  const bench = new Bench()
  bench.minted()
  const renewAt = bench.state.token?.renewAt ?? Number.NaN
  bench.now = renewAt - 4_999
  expect(ask(bench, { minLifeMs: LIFE, until: renewAt }).kind).toBe('short')
  expect(ask(bench, { minLifeMs: LIFE, until: renewAt + 1 })).toEqual({ kind: 'wait', again: renewAt })
  bench.now = renewAt - 5_000
  expect(ask(bench, { minLifeMs: LIFE, until: renewAt + 1 }).kind).toBe('short')
})

test('with the floor of its life left a token is served at once; a millisecond later callers wait for the next', () => {
  const bench = new Bench()
  bench.minted()
  bench.now += LIFE - bench.policy.floorMs
  expect(ask(bench).kind).toBe('serve')
  bench.now += 1
  expect(ask(bench).kind).toBe('wait')
})

test('while the store is down nobody waits for something newer', () => {
  const bench = new Bench()
  bench.minted()
  bench.now += LIFE - MINUTE / 2
  bench.waiting = true
  bench.send({ type: 'wanted' })
  expect(ask(bench).kind).toBe('wait')
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a' } })
})

test('a failure is told until its wait is over, and not from then on', () => {
  const bench = failed(new Bench(), fatal)
  bench.now = retryAt(bench) - 1
  expect(ask(bench)).toEqual({ kind: 'fail', failure: fatal })
  bench.now += 1
  expect(ask(bench)).toEqual({ kind: 'wait' })
})

test('a caller whose patience ends at the retry is told the failure; one with a millisecond more waits for it', () => {
  const bench = failed(new Bench(), failure)
  expect(ask(bench, { until: retryAt(bench) }).kind).toBe('fail')
  expect(ask(bench, { until: retryAt(bench) + 1 }).kind).toBe('wait')
})

test('that somebody has to authorise anew is said on a word of the store that is no older than the caller', () => {
  const bench = failed(new Bench(rotating), spent)
  const asked = bench.now
  bench.now += 1_000
  expect(ask(bench, { since: asked })).toEqual({ kind: 'fail', failure: spent })
  expect(ask(bench, { since: asked + 1 })).toEqual({ kind: 'wait' })
})

test('any other failure, and any of a credential that can be fetched again, needs no second word of the store', () => {
  for (const bench of [failed(new Bench(rotating), fatal), failed(new Bench(), spent)]) {
    bench.now += 1_000
    expect(ask(bench).kind).toBe('fail')
  }
})
