import { describe, expect, test } from 'vitest'
import type { Happening } from '../../src/machine/happenings.ts'
import { blocked, claiming, due, everyActivityBut, expectNothing, fetching, LIFE, publishing, subscribing } from './activities.ts'
import { emptySnapshot, failure, fatal } from './support.ts'

/** Everything that an attempt can come to, save what the store has told with it. */
function outcomes(attempt: number, sentAt: number): Happening[] {
  const claim = { kind: 'granted', fence: 90, takeover: false, snapshot: emptySnapshot({ lease: { expiresInMs: 8_000 } }) } as const
  return [
    { type: 'claimed', attempt, sentAt, claim, failure: undefined },
    { type: 'claim-failed', attempt, failure },
    { type: 'claim-blocked', attempt, failure },
    { type: 'fetched', attempt, sentAt, value: 'late', expiresInMs: LIFE },
    { type: 'fetch-failed', attempt, failure, outcome: 'failed' },
    { type: 'publish-failed', attempt, failure },
  ]
}

const steps = [
  ['claiming', claiming, /^claim/],
  ['fetching', fetching, /^fetch/],
  ['publishing', publishing, /^publish/],
] as const

test.each(steps)('while %s, no outcome of the attempt before changes anything', (_, enter) => {
  const bench = enter(due())
  for (const happening of outcomes(bench.state.attempts - 1, bench.now)) expectNothing(bench, happening)
})

test.each(steps)('while %s, no outcome of another step of the same attempt changes anything', (_, enter, own) => {
  const bench = enter(due())
  for (const happening of outcomes(bench.state.attempts, bench.now)) if (!own.test(happening.type)) expectNothing(bench, happening)
})

describe('of a dependency', () => {
  test.each(everyActivityBut('blocked'))('while %s, neither that it is there nor that it cannot be had changes anything', (_, enter) => {
    const bench = enter()
    expectNothing(bench, { type: 'unblocked' })
    expectNothing(bench, { type: 'block-failed', failure: fatal })
  })

  test('that cannot be had, those who wait are told so', () => {
    const bench = blocked()
    bench.send({ type: 'block-failed', failure: fatal })
    expect(bench.state.activity).toMatchObject({ kind: 'cooling', failure: fatal })
  })

  test('that a claim finds missing, it is waited for, and the record is read for what others have published', () => {
    const bench = claiming()
    bench.send({ type: 'claim-blocked', attempt: bench.must('claim').attempt, failure })
    expect(bench.state.activity).toMatchObject({ kind: 'blocked', failure })
    expect(bench.outstanding).toEqual([{ type: 'await-dependency' }, { type: 'read' }])
  })
})

test.each(everyActivityBut('subscribing'))('while %s, that hints are switched on changes nothing', (_, enter) => {
  expectNothing(enter(), { type: 'subscribed' })
})

test('hints that are switched on where they are waited for lead to one more claim', () => {
  const bench = subscribing()
  bench.send({ type: 'subscribed' })
  expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
})
