import { describe, expect, test } from 'vitest'
import { blocked, cooling, due, following, idle, rereading } from './activities.ts'
import { type Bench, emptySnapshot, failure } from './support.ts'

/** A hint has the record read, in vain. */
function readInVain(bench: Bench): Bench {
  bench.send({ type: 'changed' })
  bench.must('read')
  bench.send({ type: 'read-failed' })
  return bench
}

/** Rested, with a token that may be served while the record is read for whoever waits. */
function attended(): Bench {
  const bench = idle()
  bench.waiting = true
  return bench
}

/** How long the store is left alone after the next claim has failed as well. */
function nextProbeMs(bench: Bench): number {
  const { activity } = bench.state
  bench.now = activity.kind === 'detached' ? activity.probeAt : Number.NaN
  bench.send({ type: 'woke' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  const after = bench.state.activity
  return after.kind === 'detached' ? after.probeAt - bench.now : Number.NaN
}

test.each([
  ['a failure is waited out', cooling],
  ['a dependency is waited for', blocked],
])('while %s, a read that fails shortens no wait, whatever is at hand', (_, enter) => {
  for (const bench of [enter(), enter(due())]) {
    const { activity } = bench.state
    expect(readInVain(bench).state).toMatchObject({ activity, reading: false })
  }
})

test('while another holds the lease, a read that fails changes nothing but that none is under way', () => {
  const bench = following(due())
  bench.now += 2_000
  bench.send({ type: 'woke' })
  bench.must('read')
  const { state } = bench
  bench.send({ type: 'read-failed' })
  expect(bench.state).toEqual({ ...state, reading: false })
})

describe('at rest', () => {
  test('a read that fails leaves a token that can be served, and has the store probed', () => {
    const bench = readInVain(attended())
    expect(bench.state).toMatchObject({ activity: { kind: 'detached', probeAt: bench.now + 750 }, token: { value: 'a' } })
  })

  test('a read that fails with nothing to serve leads to a claim for whoever waits, and else leaves the store to the next caller', () => {
    for (const waiting of [true, false]) {
      const bench = idle()
      bench.send({ type: 'doubted' })
      bench.must('read')
      bench.waiting = waiting
      bench.send({ type: 'read-failed' })
      expect(bench.state.activity.kind).toBe(waiting ? 'claiming' : 'idle')
      expect(bench.outstanding.map(({ type }) => type)).toEqual(waiting ? ['claim'] : [])
    }
  })

  test('a read that fails counts as a failure of the store: the second has it left alone for twice as long', () => {
    expect(nextProbeMs(readInVain(attended()))).toBe(1_500)
  })
})

test('what was announced while the store could not be read is looked at for whoever asks next, though nobody has asked since', () => {
  const bench = readInVain(attended())
  nextProbeMs(bench)
  bench.send({ type: 'changed', version: 30 })
  bench.waiting = false
  bench.asked = false
  bench.now += 60_000
  bench.send({ type: 'woke' })
  expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { value: 'a' } })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'wanted' })
  bench.must('read')
})

describe('after a takeover', () => {
  test('a read that fails leaves all that is known as it is', () => {
    const bench = rereading()
    const { state } = bench
    readInVain(bench)
    const { seen, token, attempts } = state
    expect(bench.state).toMatchObject({ seen, token, attempts, reading: false, activity: { kind: 'detached', probeAt: bench.now + 750 } })
    bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot(), read: false })
    expect(bench.outstanding).toEqual([])
  })

  test('a read that fails counts as a failure of the store: the second has it left alone for twice as long', () => {
    expect(nextProbeMs(readInVain(rereading()))).toBe(1_500)
  })
})
