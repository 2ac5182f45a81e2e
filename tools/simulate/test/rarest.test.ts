import { expect, test } from 'vitest'
import {
  claiming,
  detached,
  due,
  fetching,
  idle,
  publishing,
  rereading,
  subscribing,
  unanswered,
} from '../../../packages/core/test/machine/activities.ts'
import { Bench, emptySnapshot, failure, rotating, spent } from '../../../packages/core/test/machine/support.ts'
import { RAREST_EDGES } from '../edges.ts'

const LIFE = 7_200_000

const closing = (bench: Bench): Bench => {
  bench.send({ type: 'close', finish: true })
  return bench
}

/** A report of the token is on its way. */
const reported = (bench: Bench): Bench => {
  bench.send({ type: 'rejected', version: 10, value: 'a' })
  return bench
}

type Happening = Parameters<Bench['send']>[0]

const fetched = (bench: Bench, expiresInMs = LIFE): Happening => {
  return { type: 'fetched', attempt: bench.must('fetch').attempt, sentAt: bench.now, value: 'b', expiresInMs }
}
const unreported = (bench: Bench): Happening => ({ type: 'invalidate-failed', version: bench.must('invalidate').version })

/** A machine that is about to take the way, and what has it do so. Worlds need more than a night's to take them all. */
const ways: Readonly<Record<string, () => readonly [Bench, Happening]>> = {
  'claiming claim-failed closed'() {
    const bench = closing(claiming())
    bench.waiting = false
    return [bench, { type: 'claim-failed', attempt: bench.must('claim').attempt, failure }]
  },
  'detached invalidate-failed detached'() {
    const bench = reported(detached(due()))
    bench.now += LIFE
    return [bench, unreported(bench)]
  },
  'fetching fetched claiming'() {
    const bench = fetching()
    const snapshot = emptySnapshot({ version: 50, value: 'newer', expiresInMs: 1_000 })
    bench.send({ type: 'told', sentAt: bench.now, snapshot, read: false })
    bench.now += 1_000
    return [bench, fetched(bench)]
  },
  'fetching fetched closed'() {
    const bench = closing(fetching())
    return [bench, fetched(bench, 1_000)]
  },
  'publishing publish-failed closed'() {
    const bench = closing(publishing())
    return [bench, { type: 'publish-failed', attempt: bench.must('publish').attempt, failure }]
  },
  'publishing wanted idle'() {
    const bench = unanswered(new Bench(), 40_000)
    bench.now += 40_000
    return [bench, { type: 'wanted' }]
  },
  'rereading close closed': () => [rereading(), { type: 'close', finish: false }],
  'rereading doubted rereading'() {
    const bench = fetching(due(rotating))
    bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: spent, outcome: 'unspent' })
    return [bench, { type: 'doubted' }]
  },
  'rereading invalidate-failed rereading'() {
    const bench = reported(rereading())
    return [bench, unreported(bench)]
  },
  'subscribing close closed': () => [subscribing(), { type: 'close', finish: true }],
  'subscribing doubted subscribing': () => [subscribing(due()), { type: 'doubted' }],
  'subscribing read-failed subscribing'() {
    const bench = idle()
    bench.send({ type: 'changed', version: 20 })
    bench.send({ type: 'wanted' })
    bench.now = bench.state.token?.renewAt ?? Number.NaN
    bench.send({ type: 'woke' })
    return [subscribing(bench), { type: 'read-failed' }]
  },
  'subscribing wanted subscribing': () => [subscribing(), { type: 'wanted' }],
}

test('the ways that no change’s worlds can be asked for are all taken here', () => {
  expect(Object.keys(ways)).toEqual(RAREST_EDGES)
})

test.each(Object.entries(ways))('%s', (way, prepare) => {
  const [bench, happening] = prepare()
  const from = bench.state.activity.kind
  bench.send(happening)
  expect(`${from} ${happening.type} ${bench.state.activity.kind}`).toBe(way)
})
