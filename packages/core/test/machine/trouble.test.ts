import { expect, test } from 'vitest'
import { initialState } from '../../src/machine/state.ts'
import { claiming, detached, due, fetching, idle, LIFE } from './activities.ts'
import { answered, type Bench, emptySnapshot, failure } from './support.ts'

/** What all keys share with which nothing is wrong. */
const { trouble: none } = initialState({ seen: 0, rejected: 0 })

const renewed = emptySnapshot({ version: 30, value: 'c', renewInMs: LIFE / 2, expiresInMs: LIFE })

/** Its next fetch has failed, and is waited for. */
function failedOnce(): Bench {
  const bench = fetching(due())
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  bench.must('settle')
  return bench
}

/** The store has failed three times in a row, and is probed. */
function longDetached(): Bench {
  const bench = detached(due())
  for (let probes = 0; probes < 2; probes++) {
    const { activity } = bench.state
    bench.now = activity.kind === 'detached' ? activity.probeAt : Number.NaN
    bench.send({ type: 'woke' })
    bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  }
  return bench
}

test.each<[string, () => Bench]>([
  ['its first token was published', idle],
  [
    'what had failed succeeds',
    () => {
      const bench = failedOnce()
      bench.now += 60_000
      claiming(bench).claimGranted(200)
      bench.fetched('d')
      bench.publishAccepted()
      return bench
    },
  ],
  [
    'another process brings what failed here',
    () => {
      const bench = failedOnce()
      bench.send({ type: 'told', sentAt: bench.now, snapshot: renewed, read: false })
      return bench
    },
  ],
  [
    'the store is back, and has the same as before',
    () => {
      const bench = claiming(longDetached())
      const token = bench.state.token
      bench.now += 30_000
      bench.send({ type: 'woke' })
      const snapshot = emptySnapshot({ version: token?.version ?? 0, value: token?.value ?? '', renewInMs: 1_000, expiresInMs: 60_000 })
      answered(bench, { kind: 'fresh', snapshot })
      return bench
    },
  ],
  [
    'a report has been answered',
    () => {
      const bench = idle()
      bench.send({ type: 'rejected', version: 10, value: 'a' })
      const { version } = bench.must('invalidate')
      bench.send({ type: 'invalidated', version, sentAt: bench.now, snapshot: renewed })
      return bench
    },
  ],
])('when %s, a key keeps nothing of its own about what went wrong', (_, comes) => {
  const bench = comes()
  expect(bench.state.activity.kind).toBe('idle')
  expect(bench.state.trouble).toBe(none)
})

test('a read that the store answers ends the row of its failures', () => {
  const bench = longDetached()
  bench.send({ type: 'doubted' })
  bench.must('read')
  expect(bench.state.trouble.storeFailures).toBe(3)
  bench.send({ type: 'told', sentAt: bench.now, snapshot: emptySnapshot({ version: 10, value: 'a' }), read: true })
  expect(bench.state.trouble.storeFailures).toBe(0)
})

test('what has failed is remembered until something has succeeded', () => {
  const bench = failedOnce()
  expect(bench.state.trouble).toMatchObject({ failures: 1, failure })
  expect(none).toMatchObject({ failures: 0, failure: undefined })
})
