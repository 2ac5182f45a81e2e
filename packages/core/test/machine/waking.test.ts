import { describe, expect, test } from 'vitest'
import { wakeAt } from '../../src/machine/state.ts'
import {
  blocked,
  claiming,
  cooling,
  detached,
  due,
  expectNothing,
  fetching,
  following,
  idle,
  LIFE,
  publishing,
  rereading,
  subscribing,
  unanswered,
} from './activities.ts'
import { Bench, emptySnapshot, failure, rotating } from './support.ts'

/** To the moment for which the machine has asked to be woken, or some milliseconds from it. */
function wake(bench: Bench, laterMs = 0): Bench {
  bench.now = (wakeAt(bench.state) ?? Number.NaN) + laterMs
  return bench
}

test.each([
  ['at rest', idle],
  ['following', following],
  ['rereading', rereading],
  ['cooling', cooling],
  ['blocked', blocked],
  ['detached', detached],
  ['publishing once more', unanswered],
])('while %s, nothing happens before its moment has come', (_, enter) => {
  expectNothing(wake(enter(), -1), { type: 'woke' })
})

test.each([
  ['claiming', claiming],
  ['fetching', fetching],
  ['publishing', publishing],
  ['subscribing', subscribing],
])('while %s, there is no such moment, and nothing happens', (_, enter) => {
  const bench = enter()
  expect(wakeAt(bench.state)).toBeUndefined()
  expectNothing(bench, { type: 'woke' })
})

test.each([
  ['at rest', idle],
  ['cooling', cooling],
  ['detached', detached],
])('while %s, what is asked for is claimed in its moment', (_, enter) => {
  const bench = wake(enter())
  bench.waiting = false
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test.each([
  ['at rest', idle],
  ['cooling', () => cooling(due())],
  ['detached', () => detached(due())],
])('while %s, what nobody asks for is left to lapse in its moment, and waits for a caller', (_, enter) => {
  const bench = wake(enter())
  bench.waiting = false
  bench.asked = false
  bench.send({ type: 'woke' })
  expect(bench.state.activity).toEqual({ kind: 'idle', lapsed: true })
  expect(bench.outstanding).toEqual([])
  bench.asked = true
  expectNothing(bench, { type: 'woke' })
  bench.send({ type: 'wanted' })
  bench.must('claim')
})

test('the record is looked at again in the moment planned for it', () => {
  for (const enter of [following, rereading]) {
    const bench = wake(enter())
    bench.send({ type: 'woke' })
    bench.must('read')
  }
})

describe('a dependency that has not come in 15 s', () => {
  test('is waited for as long again while a caller waits', () => {
    const bench = wake(blocked())
    bench.send({ type: 'woke' })
    expect(bench.state.activity).toEqual({ kind: 'blocked', giveUpAt: bench.now + 15_000, failure })
    expect(bench.outstanding).toEqual([{ type: 'await-dependency' }])
  })

  test('is given up when nobody waits, and waited out', () => {
    const bench = wake(blocked())
    bench.waiting = false
    expect(bench.send({ type: 'woke' })).toMatchObject([{ type: 'forget-dependency' }, { type: 'notify', notice: { type: 'backoff' } }])
    expect(bench.state.activity).toMatchObject({ kind: 'cooling', failure })
  })
})

describe('a publication whose moment has come once more', () => {
  const givenUp = [{ type: 'settle', fence: 10, backoffMs: 0 }]

  test('is given up, and its lease given back, when the token is due already', () => {
    const bench = unanswered(new Bench(), 40_000)
    bench.now = bench.state.token?.renewAt ?? Number.NaN
    bench.send({ type: 'woke' })
    expect(bench.outstanding).toMatchObject(givenUp)
  })

  test('is given up when the token was rejected', () => {
    const bench = unanswered()
    bench.send({ type: 'rejected', version: 10, value: 'b' })
    const { version } = bench.must('invalidate')
    bench.send({ type: 'invalidated', version, sentAt: bench.now, snapshot: emptySnapshot({ rejectedUpTo: 10 }) })
    wake(bench).send({ type: 'woke' })
    expect(bench.outstanding).toMatchObject(givenUp)
  })

  test('is given up when something newer has come', () => {
    const bench = unanswered()
    const snapshot = emptySnapshot({ version: 30, value: 'c', renewInMs: LIFE / 2, expiresInMs: LIFE })
    bench.send({ type: 'told', sentAt: bench.now, snapshot, read: false })
    wake(bench).send({ type: 'woke' })
    expect(bench.outstanding).toMatchObject(givenUp)
    expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { value: 'c' } })
  })

  describe('of a used-up secret, when another login has come', () => {
    function overtaken(): Bench {
      const bench = unanswered(new Bench(rotating), 40_000)
      const snapshot = emptySnapshot({ version: 30, value: 'c', renewInMs: LIFE / 2, expiresInMs: LIFE })
      bench.send({ type: 'told', sentAt: bench.now, snapshot, read: false })
      return bench
    }

    test('is given up, its lease is left to run out, and the next caller has the record read: more may have been announced', () => {
      const bench = overtaken()
      bench.send({ type: 'changed', version: 40 })
      wake(bench).send({ type: 'woke' })
      expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { value: 'c' } })
      expect(bench.outstanding).toEqual([])
      bench.send({ type: 'wanted' })
      bench.must('read')
    })

    test('is given up for a caller who comes when that one has ended, too', () => {
      const bench = overtaken()
      bench.now += LIFE
      bench.waiting = true
      bench.send({ type: 'wanted' })
      expect(bench.outstanding.map(({ type }) => type)).toEqual(['claim'])
    })
  })

  test('is sent again for a used-up secret, though the token has ended', () => {
    const bench = unanswered(new Bench(rotating), 40_000)
    bench.now += 41_000
    bench.send({ type: 'woke' })
    expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 10, value: 'b' }])
  })
})
