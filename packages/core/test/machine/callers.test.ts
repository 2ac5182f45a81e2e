import { describe, expect, test } from 'vitest'
import { claiming, cooling, detached, due, expectNothing, following, idle, publishing, unanswered } from './activities.ts'
import { answered, Bench, HELD, rotating } from './support.ts'

describe('a caller who comes while the process is at rest', () => {
  test('claims nothing while the record is read', () => {
    const bench = idle()
    bench.send({ type: 'doubted' })
    bench.must('read')
    expectNothing(bench, { type: 'wanted' })
  })

  test('claims nothing while the store is told that the token is rejected', () => {
    const bench = due()
    bench.send({ type: 'rejected', version: 10, value: 'a' })
    bench.must('invalidate')
    expectNothing(bench, { type: 'wanted' })
  })
})

describe('a caller who comes while a failure is waited out', () => {
  test.each([
    ['nothing', () => new Bench()],
    ['a token that is due', due],
  ])('claims when the wait is over and not before, with %s at hand', (_, start) => {
    const bench = cooling(start())
    bench.now += 20_049
    expectNothing(bench, { type: 'wanted' })
    bench.now += 1
    bench.send({ type: 'wanted' })
    bench.must('claim')
  })
})

describe('a caller who comes while the store is down', () => {
  test('asks the store once more if there is nothing to serve', () => {
    const bench = detached()
    bench.send({ type: 'wanted' })
    bench.must('claim')
  })

  test('is served what is at hand, and leaves the store alone', () => {
    expectNothing(detached(due()), { type: 'wanted' })
  })
})

describe('a caller who comes while a token is published', () => {
  test('changes nothing as long as the store may still answer, though the token has ended', () => {
    const bench = publishing(new Bench(), 40_000)
    bench.now += 41_000
    expectNothing(bench, { type: 'wanted' })
  })

  test('changes nothing while the token can be served, though the store has not answered', () => {
    expectNothing(unanswered(), { type: 'wanted' })
  })

  test('has it given up when it has ended and the store has not answered: the lease is given back and claimed anew', () => {
    const bench = unanswered(new Bench(), 40_000)
    bench.now += 41_000
    bench.waiting = true
    bench.send({ type: 'wanted' })
    expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 10, backoffMs: 0 }, { type: 'claim' }])
  })

  test('has what replaces a used-up secret published once more at once, though it has ended', () => {
    const bench = unanswered(new Bench(rotating), 40_000)
    bench.now += 41_000
    bench.waiting = true
    bench.send({ type: 'wanted' })
    expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 10, value: 'b' }])
  })
})

describe('a caller who comes while another holds the lease that nobody waited for', () => {
  /** Follows until the lease ends, unless somebody comes. */
  function unattended(start: Bench): Bench {
    const bench = claiming(start)
    bench.waiting = false
    answered(bench, HELD)
    return bench
  }

  test('has the record read again after 25 ms, and no later for whoever comes next', () => {
    const bench = unattended(new Bench())
    const soon = bench.now + 25
    bench.send({ type: 'wanted' })
    expect(bench.state.activity).toMatchObject({ kind: 'following', rereadAt: soon })
    bench.now += 10
    bench.send({ type: 'wanted' })
    expect(bench.state.activity).toMatchObject({ kind: 'following', rereadAt: soon })
  })

  test('is served what is at hand, and has nothing read', () => {
    expectNothing(unattended(due()), { type: 'wanted' })
  })

  test('has what was to be read sooner read no later', () => {
    const bench = following()
    bench.now += 1_990
    expectNothing(bench, { type: 'wanted' })
  })
})
