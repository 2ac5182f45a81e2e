import type { Snapshot } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'
import { blocked, claiming, cooling, due, following, idle, LIFE, outcome } from './activities.ts'
import { answered, type Bench, emptySnapshot } from './support.ts'

const NEWER = { version: 30, value: 'c', renewInMs: LIFE / 2, expiresInMs: LIFE }
/** What the renewal was begun for. */
const SAME = { version: 10, value: 'a', renewInMs: 0, expiresInMs: 600_000 }
const lease = { expiresInMs: 3_000 }
const adopted = { type: 'notify', notice: { type: 'adopted', version: 30, lifeMs: LIFE } }

function hear(bench: Bench, snapshot: Partial<Snapshot>): ReturnType<typeof outcome> {
  return outcome(bench, { type: 'told', sentAt: bench.now, snapshot: emptySnapshot(snapshot), read: false })
}

test('a token that comes from the store is told once, with the life that it has left', () => {
  const bench = idle()
  expect(hear(bench, NEWER).effects).toEqual([adopted])
  expect(hear(bench, NEWER).effects).toEqual([])
})

test.each([
  ['a failure is waited out', cooling, []],
  ['a dependency is waited for', blocked, [{ type: 'forget-dependency' }]],
  ['another holds the lease', following, []],
])('while %s, a newer token ends the wait', (_, enter, effects) => {
  const { state, effects: done } = hear(enter(due()), { ...NEWER, lease })
  expect(state).toMatchObject({ activity: { kind: 'idle', lapsed: false }, token: { value: 'c', version: 30 } })
  expect(done).toEqual([...effects, adopted])
})

test.each([
  ['a failure is waited out', cooling],
  ['a dependency is waited for', blocked],
  ['another holds the lease', following],
])('while %s, the token that is being renewed does not end the wait', (_, enter) => {
  const bench = enter(due())
  const { kind } = bench.state.activity
  const { state, effects } = hear(bench, { ...SAME, lease })
  expect(state.activity.kind).toBe(kind)
  expect(effects).toEqual([])
})

test('a rejected token does not end the wait for the next one, though it is not due', () => {
  const bench = idle()
  const rejected = { version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE, rejectedUpTo: 10 }
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  const { version } = bench.must('invalidate')
  bench.send({ type: 'invalidated', version, sentAt: bench.now, snapshot: emptySnapshot(rejected) })
  const backoff = { retryInMs: 20_000, failure: '', failures: 1 }
  answered(bench, { kind: 'backoff', snapshot: emptySnapshot({ ...rejected, backoff }) })
  expect(hear(bench, rejected).state.activity.kind).toBe('cooling')
})

describe('while another holds the lease', () => {
  test('a record with nothing newer and no lease leads to a claim', () => {
    const bench = following(due())
    hear(bench, SAME)
    bench.must('claim')
  })

  test('a record that says how much longer the lease runs has it waited for, and some time drawn on top', () => {
    const bench = following(due())
    bench.now += 1_000
    expect(hear(bench, { ...SAME, lease }).state.activity).toMatchObject({ kind: 'following', leaseEndsAt: bench.now + 3_050 })
    expect(bench.outstanding).toEqual([])
  })
})

test('at rest, a record that says the token has ended or was rejected leads to a claim for whoever waits, and to none else', () => {
  for (const waiting of [true, false]) {
    const bench = idle()
    bench.waiting = waiting
    hear(bench, { ...SAME, expiresInMs: LIFE, rejectedUpTo: 10 })
    expect(bench.outstanding.map(({ type }) => type)).toEqual(waiting ? ['claim'] : [])
  }
})

test('while a claim is under way, a newer token is served, and the claim is brought to its end', () => {
  const bench = claiming(due())
  expect(hear(bench, NEWER).state).toMatchObject({ activity: { kind: 'claiming' }, token: { value: 'c' } })
})
