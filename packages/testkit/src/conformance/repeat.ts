import { branch, type Cases } from './cases.ts'
import { about, same } from './expect.ts'
import { LONG_MS, past } from './subject.ts'

/** A publication delivered a second time, early or late, finds that its attempt published the stored value. */
export const repeatCases: Cases = {
  'it is accepted, whatever its fence, its basis and its distance from the clock are now': branch('publish/repeated', async (subject) => {
    const version = await subject.accept('a')
    const ahead = version + 2 * LONG_MS * 1000
    same((await subject.publish('a', version)).kind, 'accepted', 'the same again')
    same((await subject.publish('a', version - 1)).kind, 'accepted', 'with an older fence')
    same((await subject.publish('a', version, { basedOn: version - 1 })).kind, 'accepted', 'with an older basis')
    same((await subject.publish('a', ahead, { maxAheadMs: LONG_MS })).kind, 'accepted', 'with a fence too far ahead')
  }),

  'it changes neither value nor version': branch('publish/repeated', async (subject) => {
    const version = await subject.accept('a', undefined, { value: 'first' })
    await subject.publish('a', version + 1, { value: 'second' })
    const record = await subject.read()
    same([record.version, record.value], [version, 'first'], 'version and value')
  }),

  'it changes no deadline': branch('publish/repeated', async (subject) => {
    const version = await subject.accept('a', undefined, { renewInMs: LONG_MS, expiresInMs: 2 * LONG_MS })
    const { snapshot } = await subject.publish('a', version, { renewInMs: 5 * LONG_MS, expiresInMs: 6 * LONG_MS })
    about(snapshot.renewInMs, LONG_MS, 'time to renewal')
    about(snapshot.expiresInMs, 2 * LONG_MS, 'time to the end')
  }),

  'it leaves the value rejected': branch('publish/repeated', async (subject) => {
    const version = await subject.accept('a')
    const { rejectedUpTo } = await subject.invalidate(version)
    const { snapshot } = await subject.publish('a', version)
    same(snapshot.rejectedUpTo, rejectedUpTo, 'what is rejected')
  }),

  'it does not make the value quiet': branch('publish/repeated', async (subject) => {
    const version = await subject.accept('a')
    await subject.publish('a', version, { quietMs: LONG_MS })
    same((await subject.invalidate(version)).rejectedUpTo, version, 'what is rejected')
  }),

  'it leaves the backoff': branch('publish/repeated', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.fail('b', {}, past(version))
    const { snapshot } = await subject.publish('a', version)
    same(snapshot.backoff?.failures, 1, 'failures')
  }),

  'it leaves the lease, also one of its own attempt': branch('publish/repeated', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.grant('a', past(version))
    const { snapshot } = await subject.publish('a', version)
    about(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),
}
