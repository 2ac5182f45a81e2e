import { describe, expect, test } from 'vitest'
import {
  blocked,
  claiming,
  cooling,
  detached,
  fetching,
  following,
  idle,
  outcome,
  publishing,
  rereading,
  subscribing,
  unanswered,
} from './activities.ts'
import { Bench, failure, policy, rotating } from './support.ts'

const closed = { activity: { kind: 'closed' } }
const anyhow = [true, false]

test.each([
  ['idle', idle],
  ['subscribing', subscribing],
  ['following', following],
  ['cooling', cooling],
  ['detached', detached],
  ['rereading', rereading],
])('while %s, a process ends at once and asks for nothing', (_, enter) => {
  for (const finish of anyhow) expect(outcome(enter(), { type: 'close', finish })).toMatchObject({ state: closed, effects: [] })
})

test('a process that waits for a dependency ends at once, and waits for it no more', () => {
  for (const finish of anyhow) {
    expect(outcome(blocked(), { type: 'close', finish })).toMatchObject({ state: closed, effects: [{ type: 'forget-dependency' }] })
  }
})

test('a claim that is under way is brought to its end, and a lease that it is granted is given back', () => {
  for (const finish of anyhow) {
    const bench = claiming()
    expect(outcome(bench, { type: 'close', finish })).toMatchObject({ state: { activity: { kind: 'claiming' } }, effects: [] })
    bench.claimGranted(10)
    expect(bench.outstanding).toEqual([{ type: 'settle', attempt: 1, fence: 10, backoffMs: 0 }])
    expect(bench.state).toMatchObject(closed)
  }
})

describe('a fetch that is under way', () => {
  test('is given up by a process that is to end now, and its lease is given back', () => {
    expect(outcome(fetching(), { type: 'close', finish: false })).toMatchObject({
      state: closed,
      effects: [
        { type: 'abandon-fetch', attempt: 1 },
        { type: 'settle', attempt: 1, fence: 10, backoffMs: 0 },
      ],
    })
  })

  test.each([
    ['by a process that may finish', policy, true],
    ['where it uses up a secret, by a process that may finish', rotating, true],
    ['where it uses up a secret, by a process that is to end now', rotating, false],
  ])('is brought to its end and published %s', (_, given, finish) => {
    const bench = fetching(new Bench(given))
    expect(outcome(bench, { type: 'close', finish })).toMatchObject({ state: { activity: { kind: 'fetching' } }, effects: [] })
    bench.fetched('a')
    expect(bench.outstanding).toMatchObject([{ type: 'publish', value: 'a' }])
    bench.publishAccepted()
    expect(bench.state).toMatchObject(closed)
  })

  test('is given up after all when the process that was to finish is told to end now', () => {
    const bench = fetching()
    bench.send({ type: 'close', finish: true })
    bench.send({ type: 'close', finish: false })
    expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 10, backoffMs: 0 }])
    expect(bench.state).toMatchObject(closed)
  })
})

test('a fetch that cannot go on without something else ends a process that was to finish it: that is not waited for', () => {
  const bench = fetching()
  bench.send({ type: 'close', finish: true })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'blocked' })
  expect(bench.outstanding).toEqual([{ type: 'settle', attempt: 1, fence: 10, backoffMs: 0 }])
  expect(bench.state).toMatchObject(closed)
})

describe('a publication', () => {
  test.each([
    ['of any token', policy],
    ['for a used-up secret', rotating],
  ])('%s that is under way is waited for', (_, given) => {
    for (const finish of anyhow) {
      const bench = publishing(new Bench(given))
      expect(outcome(bench, { type: 'close', finish })).toMatchObject({ state: { activity: { kind: 'publishing' } }, effects: [] })
      bench.publishAccepted()
      expect(bench.state).toMatchObject(closed)
    }
  })

  test('for a used-up secret that the store has not answered is repeated while the process may finish', () => {
    const bench = unanswered(new Bench(rotating))
    expect(outcome(bench, { type: 'close', finish: true })).toMatchObject({ state: { activity: { kind: 'publishing' } }, effects: [] })
    bench.now += 750
    bench.send({ type: 'woke' })
    bench.send({ type: 'publish-failed', attempt: bench.must('publish').attempt, failure })
    expect(bench.state.activity).toMatchObject({ kind: 'publishing' })
    expect(outcome(bench, { type: 'close', finish: false })).toMatchObject({ state: closed, effects: [] })
  })

  test('for a used-up secret that the store has not answered ends with a process that is to end now, and its lease runs out', () => {
    expect(outcome(unanswered(new Bench(rotating)), { type: 'close', finish: false })).toMatchObject({ state: closed, effects: [] })
  })

  test('of any other token that the store has not answered is not repeated, and its lease is given back', () => {
    for (const finish of anyhow) {
      const effects = [{ type: 'settle', attempt: 1, fence: 10, backoffMs: 0 }]
      expect(outcome(unanswered(), { type: 'close', finish })).toMatchObject({ state: closed, effects })
    }
  })
})
