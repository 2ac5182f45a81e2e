import { describe, expect, test } from 'vitest'
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
  publishing,
  rereading,
  subscribing,
} from './activities.ts'
import { answered, Bench, emptySnapshot } from './support.ts'

const versions: [name: string, hint: { version?: number }][] = [
  ['an older version', { version: 9 }],
  ['the version seen', { version: 10 }],
  ['a newer version', { version: 11 }],
  ['no version', {}],
]

describe.each(versions)('a hint of %s', (name, hint) => {
  const isNews = name === 'a newer version' || name === 'no version'

  test.each([
    ['while a failure is waited out', cooling],
    ['while a dependency is waited for', blocked],
  ])(`${isNews ? 'has the record read' : 'changes nothing'} %s`, (_, enter) => {
    const bench = enter(due())
    if (!isNews) return expectNothing(bench, { type: 'changed', ...hint })
    const { activity } = bench.state
    expect(bench.send({ type: 'changed', ...hint })).toEqual([{ type: 'read' }])
    expect(bench.state.activity).toEqual(activity)
  })

  test('leads to a claim while another holds the lease', () => {
    const bench = following(due())
    bench.send({ type: 'changed', ...hint })
    bench.must('claim')
  })

  test('has the record read while it is to be looked at again anyhow', () => {
    const bench = rereading()
    bench.send({ type: 'changed', ...hint })
    expect(bench.outstanding).toEqual([{ type: 'read' }])
    expect(bench.state.activity.kind).toBe('rereading')
  })

  test.each([
    ['something is fetched', fetching],
    ['something is published', publishing],
    ['hints are being switched on', subscribing],
  ])('changes nothing while %s', (_, enter) => {
    expectNothing(enter(due()), { type: 'changed', ...hint })
  })

  test('has the record read at once when somebody waits, else by the next caller', () => {
    const attended = idle()
    attended.waiting = true
    attended.send({ type: 'changed', ...hint })
    expect(attended.outstanding).toEqual([{ type: 'read' }])

    const unattended = idle()
    unattended.send({ type: 'changed', ...hint })
    expect(unattended.outstanding).toEqual([])
    unattended.send({ type: 'wanted' })
    expect(unattended.outstanding).toEqual([{ type: 'read' }])
  })

  test('changes nothing where there is no token, whoever waits', () => {
    for (const waiting of [true, false]) {
      const bench = new Bench()
      bench.waiting = waiting
      expectNothing(bench, { type: 'changed', ...hint })
    }
  })

  test('has a store that is down probed within half a second, by a draw', () => {
    const bench = detached()
    bench.chance = 0.25
    bench.send({ type: 'changed', ...hint })
    expect(bench.state.activity).toEqual({ kind: 'detached', probeAt: bench.now + 125 })
    bench.chance = 0.75
    expectNothing(bench, { type: 'changed', ...hint })
  })
})

test('a hint that comes while the record is read for somebody is looked into once more', () => {
  const bench = idle()
  bench.waiting = true
  bench.send({ type: 'changed' })
  bench.must('read')
  bench.send({ type: 'changed' })
  expect(bench.outstanding).toEqual([])
  bench.waiting = false
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: 3_600_000, expiresInMs: 7_200_000 })
  bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
  bench.send({ type: 'wanted' })
  bench.must('read')
})

test.each([
  ['that some were lost', [undefined]],
  ['of a newer version and then of an older one', [11, 9]],
])('hints %s while a claim is under way are looked into, if the answer is to wait out a failure', (_, hints) => {
  const bench = claiming(due())
  for (const version of hints) bench.send({ type: 'changed', ...(version !== undefined && { version }) })
  answered(bench, { kind: 'backoff', snapshot: emptySnapshot({ backoff: { retryInMs: 60_000, failure: '', failures: 1 } }) })
  expect(bench.outstanding).toEqual([{ type: 'read' }])
})
