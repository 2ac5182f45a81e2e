import { AssertionError } from 'node:assert'
import { expect, test } from 'vitest'
import { answered, Bench, emptySnapshot, HELD } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

test('another holds the lease: hints are switched on, the claim is repeated, and only then is it waited', () => {
  const bench = new Bench()
  bench.hints = 'untried'
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const held = { kind: 'held' as const, snapshot: emptySnapshot({ lease: { expiresInMs: 5_000 } }) }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  bench.must('subscribe')
  bench.hints = 'on'
  bench.send({ type: 'subscribed' })
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  expect(bench.state.activity).toMatchObject({ kind: 'following' })
  bench.send({ type: 'changed', version: 0 })
  bench.must('claim')
})

test('where there are no hints, a claim that finds the lease held is not repeated before something is due', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.waiting = true
  bench.send({ type: 'wanted' })
  answered(bench, HELD)
  expect(bench.outstanding).toEqual([])
  expect(bench.state.activity).toMatchObject({ kind: 'following' })
  expect(bench.wakeDue()).toBe(false)
})

test('a process that closes does not ask again who holds the lease, whatever it has heard', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'changed' })
  bench.send({ type: 'close', finish: true })
  answered(bench, HELD)
  expect(bench.outstanding).toEqual([])
  expect(bench.state.activity).toEqual({ kind: 'closed' })
})

test('a renewal that nobody waits for and that finds the lease held leaves the store alone until the lease ends', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.minted('a', 10)
  bench.now += LIFE - 5 * MINUTE
  bench.send({ type: 'woke' })
  const held = {
    kind: 'held' as const,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: 5 * MINUTE, lease: { expiresInMs: 5_000 } }),
  }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  bench.now += 4_900
  expect(bench.wakeDue()).toBe(false)
  bench.now += 300
  expect(bench.wakeDue()).toBe(true)
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test('without hints a waiting caller has the record re-read after 25 ms at most, then ever less often, up to half a second', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.chance = 0.999
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const held = emptySnapshot({ lease: { expiresInMs: 60_000 } })
  bench.send({
    type: 'claimed',
    attempt: bench.must('claim').attempt,
    sentAt: bench.now,
    claim: { kind: 'held', snapshot: held },
    failure: undefined,
  })
  const gaps: number[] = []
  for (let round = 0; round < 8; round += 1) {
    const { activity } = bench.state
    if (activity.kind !== 'following') throw new AssertionError({ message: activity.kind })
    gaps.push(activity.rereadAt - bench.now)
    bench.now = activity.rereadAt
    bench.send({ type: 'woke' })
    bench.must('read')
    bench.send({ type: 'told', sentAt: bench.now, snapshot: held, read: true })
  }
  expect(gaps[0]).toBeLessThanOrEqual(25)
  expect(gaps.at(-1)).toBeLessThanOrEqual(500)
  expect(gaps.at(-1)).toBeGreaterThan(400)
})

test.each([
  ['off', true],
  ['on', false],
] as const)(
  'who comes while another renews, and waits for it a moment with a token at hand, looks again with hints %s: %s',
  (hints, looks) => {
    const bench = new Bench()
    bench.minted('a', 10)
    bench.hints = hints
    bench.now += 120 * 60_000 - 30_000
    bench.asked = true
    bench.send({ type: 'woke' })
    const held = emptySnapshot({ version: 10, value: 'a', renewInMs: -1, expiresInMs: 30_000, lease: { expiresInMs: 8_000 } })
    answered(bench, { kind: 'held', snapshot: held })
    if (hints === 'on') expect(bench.state.activity.kind).toBe('following')
    bench.now += 100
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.now += 25
    bench.send({ type: 'woke' })
    expect(bench.take('read') !== undefined).toBe(looks)
  },
)

test('those who look again while they wait for the end of a lease do not come all at once when it has run out', () => {
  const ends = [0, 0.5, 0.99].map((chance) => {
    const bench = new Bench()
    bench.hints = 'on'
    bench.waiting = true
    bench.chance = chance
    bench.send({ type: 'wanted' })
    answered(bench, HELD)
    bench.now += 2_000
    bench.send({ type: 'woke' })
    bench.must('read')
    bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot({ lease: { expiresInMs: 3_000 } }), read: true })
    return bench.state.activity.kind === 'following' ? bench.state.activity.leaseEndsAt - bench.now : undefined
  })
  expect(ends).toEqual([3_000, 3_050, 3_099])
})
