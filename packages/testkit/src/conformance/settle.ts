import { branch, type Cases } from './cases.ts'
import { about, atMost, same } from './expect.ts'
import { LONG_MS, past, SHORT_MS } from './subject.ts'

export const settleCases: Cases = {
  'the lease is released': branch('settle/released', async (subject) => {
    const fence = await subject.grant('a')
    const { lease } = await subject.settle('a', fence)
    same(lease, undefined, 'lease')
  }),

  'without a backoff no failure is shared': branch('settle/released', async (subject) => {
    const fence = await subject.grant('a')
    const { backoff } = await subject.settle('a', fence, { failure: 'down' })
    same(backoff, undefined, 'backoff')
  }),

  'a failure is shared with the time to the retry and what failed': branch('settle/backed-off', async (subject) => {
    const { backoff, lease } = await subject.fail('a', { failure: 'what failed' })
    same([backoff?.failure, lease], ['what failed', undefined], 'failure and lease')
    about(backoff?.retryInMs, LONG_MS, 'time to the retry')
  }),

  'failures are counted': branch('settle/backed-off', async (subject) => {
    await subject.fail('a', { backoffMs: SHORT_MS, config: 'one' })
    await subject.passShort()
    const { backoff } = await subject.fail('b', { config: 'two' })
    same(backoff?.failures, 2, 'failures')
  }),

  'the backoff is that of the last failure, with its configuration': branch('settle/backed-off', async (subject) => {
    await subject.fail('a', { backoffMs: SHORT_MS, config: 'one' })
    await subject.passShort()
    await subject.fail('b', { config: 'two' })
    same((await subject.claim('c', { config: 'two' })).kind, 'backoff', 'claim with the configuration that failed last')
    same((await subject.claim('d', { config: 'one' })).kind, 'granted', 'claim with the configuration that failed first')
  }),

  'a release without a failure keeps the backoff and its count': branch('settle/released', async (subject) => {
    await subject.fail('a', { backoffMs: SHORT_MS, failure: 'the first', config: 'one' })
    await subject.passShort()
    const fence = await subject.grant('b', { config: 'two' })
    const { backoff } = await subject.settle('b', fence, { failure: 'the second', config: 'two' })
    same([backoff?.failures, backoff?.failure], [1, 'the first'], 'failures and what failed')
    atMost(backoff?.retryInMs, 0, 'time to the retry')
  }),

  'the backoff and its count can be seen after the retry is due': branch('settle/backed-off', async (subject) => {
    await subject.fail('a', { backoffMs: SHORT_MS })
    await subject.passShort()
    const { backoff } = await subject.read()
    same(backoff?.failures, 1, 'failures')
    atMost(backoff?.retryInMs, 0, 'time to the retry')
  }),

  "another attempt's lease is not released": branch('settle/ignored', async (subject) => {
    const fence = await subject.grant('a')
    const { lease, backoff } = await subject.settle('b', fence, { backoffMs: LONG_MS })
    about(lease?.expiresInMs, LONG_MS, 'lease')
    same(backoff, undefined, 'backoff')
  }),

  'a lease of another fence is not released': branch('settle/ignored', async (subject) => {
    const first = await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    await subject.grant('a')
    const { lease, backoff } = await subject.settle('a', first, { backoffMs: LONG_MS })
    about(lease?.expiresInMs, LONG_MS, 'lease')
    same(backoff, undefined, 'backoff')
  }),

  'a lease that ran out shares no failure': branch('settle/ignored', async (subject) => {
    const fence = await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    const { backoff } = await subject.settle('a', fence, { backoffMs: LONG_MS })
    same(backoff, undefined, 'backoff')
  }),

  'a failure delivered twice is counted once': branch('settle/ignored', async (subject) => {
    const fence = await subject.grant('a')
    await subject.settle('a', fence, { backoffMs: LONG_MS })
    const { backoff } = await subject.settle('a', fence, { backoffMs: LONG_MS })
    same(backoff?.failures, 1, 'failures')
  }),

  'the value stays': async (subject) => {
    const version = await subject.acceptDue('a')
    const snapshot = await subject.fail('b', {}, past(version))
    same([snapshot.version, snapshot.value], [version, 'by a'], 'version and value')
  },
}
