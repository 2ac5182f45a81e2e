import { branch, type Cases } from './cases.ts'
import { about, same } from './expect.ts'
import { LONG_MS, past, SHORT_MS } from './subject.ts'

/** The long duration in the unit of fences. */
const LONG = LONG_MS * 1000

export const publishCases: Cases = {
  'a value is stored under its fence as version': branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a')
    const { kind, snapshot } = await subject.publish('a', fence, { value: 'the value' })
    same([kind, snapshot.version, snapshot.value], ['accepted', fence, 'the value'], 'publication')
    const { version, value } = await subject.read()
    same([version, value], [fence, 'the value'], 'record')
  }),

  'a newer fence replaces the value': branch('publish/accepted', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version + 1)
    same(kind, 'accepted', 'publication')
    const record = await subject.read()
    same([record.version, record.value], [version + 1, 'by b'], 'record')
  }),

  'an older fence is superseded and changes no value': branch('publish/superseded', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version - 1)
    same(kind, 'superseded', 'publication')
    const record = await subject.read()
    same([record.version, record.value], [version, 'by a'], 'record')
  }),

  'the fence of the stored value is superseded': branch('publish/superseded', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version)
    same(kind, 'superseded', 'publication')
    same((await subject.read()).value, 'by a', 'value')
  }),

  'the newest fence is accepted also when its lease ran out': branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    const { kind } = await subject.publish('a', fence)
    same(kind, 'accepted', 'publication')
  }),

  'the newest fence is accepted also while another attempt holds the lease': branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a')
    const { kind } = await subject.publish('b', fence + 1)
    same(kind, 'accepted', 'publication')
  }),

  'a value derived from an older version than the stored one is superseded': branch('publish/superseded-by-base', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version + 1, { basedOn: version - 1 })
    same(kind, 'superseded', 'publication')
  }),

  'a value derived from the stored version is accepted': branch('publish/accepted', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version + 1, { basedOn: version })
    same(kind, 'accepted', 'publication')
  }),

  'a value derived from a newer version than the stored one is accepted': branch('publish/accepted', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.publish('b', version + 10, { basedOn: version + 5 })
    same(kind, 'accepted', 'publication')
  }),

  "a fence further ahead of the store's clock than maxAheadMs is refused and changes nothing": branch(
    'publish/refused',
    async (subject) => {
      const version = await subject.accept('a')
      const { kind, snapshot } = await subject.publish('b', (await subject.nowAsFence()) + 2 * LONG, { maxAheadMs: LONG_MS })
      same([kind, snapshot.version], ['refused', version], 'publication')
    },
  ),

  "a fence ahead of the store's clock by no more than maxAheadMs is accepted": branch('publish/accepted', async (subject) => {
    const { kind } = await subject.publish('a', (await subject.nowAsFence()) + LONG, { maxAheadMs: 2 * LONG_MS })
    same(kind, 'accepted', 'publication')
  }),

  "a fence any time ahead of the store's clock is accepted without maxAheadMs": branch('publish/accepted', async (subject) => {
    const { kind } = await subject.publish('a', (await subject.nowAsFence()) + 1000 * LONG)
    same(kind, 'accepted', 'publication')
  }),

  'superseded comes before refused': branch('publish/superseded', async (subject) => {
    const ahead = await subject.accept('a', (await subject.nowAsFence()) + 2 * LONG)
    const { kind } = await subject.publish('b', ahead - 1, { maxAheadMs: LONG_MS })
    same(kind, 'superseded', 'publication')
  }),

  'the time to renewal counts from the grant': branch('publish/accepted', async (subject) => {
    await subject.accept('a', (await subject.nowAsFence()) - LONG, { renewInMs: 3 * LONG_MS, expiresInMs: 9 * LONG_MS })
    about((await subject.read()).renewInMs, 2 * LONG_MS, 'time to renewal')
  }),

  'the time to the end counts from the grant': branch('publish/accepted', async (subject) => {
    await subject.accept('a', (await subject.nowAsFence()) - LONG, { renewInMs: 3 * LONG_MS, expiresInMs: 9 * LONG_MS })
    about((await subject.read()).expiresInMs, 8 * LONG_MS, 'time to the end')
  }),

  "the time to renewal counts from now when the fence is ahead of the store's clock": branch('publish/accepted', async (subject) => {
    await subject.accept('a', (await subject.nowAsFence()) + LONG, { renewInMs: LONG_MS, expiresInMs: 2 * LONG_MS })
    about((await subject.read()).renewInMs, LONG_MS, 'time to renewal')
  }),

  "the time to the end counts from now when the fence is ahead of the store's clock": branch('publish/accepted', async (subject) => {
    await subject.accept('a', (await subject.nowAsFence()) + LONG, { renewInMs: LONG_MS, expiresInMs: 2 * LONG_MS })
    about((await subject.read()).expiresInMs, 2 * LONG_MS, 'time to the end')
  }),

  'a life of ten years is a life like any other': branch('publish/accepted', async (subject) => {
    const tenYearsMs = 3652 * 86_400_000
    const { snapshot } = await subject.publish('a', await subject.nowAsFence(), { renewInMs: tenYearsMs, expiresInMs: tenYearsMs })
    about(snapshot.renewInMs, tenYearsMs, 'time to renewal')
    about(snapshot.expiresInMs, tenYearsMs, 'time to the end')
  }),

  'a value may be born rejected: it is accepted and stays rejected': branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a')
    const { rejectedUpTo } = await subject.invalidate(fence + 5)
    const { kind, snapshot } = await subject.publish('a', fence)
    same([kind, snapshot.rejectedUpTo], ['accepted', rejectedUpTo], 'publication and what is rejected')
  }),

  'an accepted publication clears the backoff and its count': branch('publish/accepted', async (subject) => {
    await subject.fail('a')
    const version = await subject.nowAsFence()
    const { snapshot } = await subject.publish('b', version, { renewInMs: 0 })
    same(snapshot.backoff, undefined, 'backoff')
    same((await subject.claim('c', past(version))).kind, 'granted', 'claim of what is newer')
  }),

  'a superseded publication leaves the backoff': branch('publish/superseded', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.fail('b', {}, past(version))
    const { snapshot } = await subject.publish('c', version - 1)
    same(snapshot.backoff?.failures, 1, 'failures')
  }),

  'an accepted publication releases the lease of its attempt': branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a')
    const { snapshot } = await subject.publish('a', fence)
    same(snapshot.lease, undefined, 'lease')
  }),

  "an accepted publication leaves another attempt's lease": branch('publish/accepted', async (subject) => {
    const fence = await subject.grant('a')
    const { snapshot } = await subject.publish('b', fence + 1)
    about(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'a superseded publication releases the lease of its attempt': branch('publish/superseded', async (subject) => {
    const fence = await subject.grant('a')
    await subject.accept('b', fence + 1)
    const { snapshot } = await subject.publish('a', fence)
    same(snapshot.lease, undefined, 'lease')
  }),

  'a publication superseded for what it is based on releases the lease of its attempt': branch(
    'publish/superseded-by-base',
    async (subject) => {
      const version = await subject.acceptDue('a')
      const fence = await subject.grant('b', past(version))
      const { snapshot } = await subject.publish('b', fence, { basedOn: version - 1 })
      same(snapshot.lease, undefined, 'lease')
    },
  ),

  "a superseded publication leaves another attempt's lease": branch('publish/superseded', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.grant('b', past(version))
    const { snapshot } = await subject.publish('c', version - 1)
    about(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'a refused publication leaves the lease of its attempt': branch('publish/refused', async (subject) => {
    await subject.grant('a')
    const { snapshot } = await subject.publish('a', (await subject.nowAsFence()) + 2 * LONG, { maxAheadMs: LONG_MS })
    about(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),
}
