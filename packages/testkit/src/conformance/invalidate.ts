import { branch, type Cases } from './cases.ts'
import { about, same } from './expect.ts'
import { LONG_MS, past, SHORT_MS } from './subject.ts'

export const invalidateCases: Cases = {
  'the stored version is rejected': branch('invalidate/rejected', async (subject) => {
    const version = await subject.accept('a')
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, version, 'what is rejected')
  }),

  'a version below the stored one changes nothing': branch('invalidate/older', async (subject) => {
    const version = await subject.accept('a')
    const { rejectedUpTo } = await subject.invalidate(version - 1)
    same(rejectedUpTo, 0, 'what is rejected')
  }),

  'a version above the stored one is rejected': branch('invalidate/rejected', async (subject) => {
    const version = await subject.accept('a')
    const { rejectedUpTo } = await subject.invalidate(version + 5)
    same(rejectedUpTo, version + 5, 'what is rejected')
  }),

  'a version of an unknown key is rejected': branch('invalidate/rejected', async (subject) => {
    const { rejectedUpTo, version } = await subject.invalidate(5)
    same([rejectedUpTo, version], [5, 0], 'record')
  }),

  'what a fetch in flight brings is rejected too': branch('invalidate/rejected', async (subject) => {
    const version = await subject.acceptDue('a')
    const fence = await subject.grant('b', past(version))
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, fence, 'what is rejected')
  }),

  'a version that is rejected already rejects no more than before': branch('invalidate/known', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.invalidate(version)
    await subject.grant('b', past(version))
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, version, 'what is rejected')
  }),

  'a live lease is left alone': branch('invalidate/rejected', async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.grant('b', past(version))
    const { lease } = await subject.invalidate(version)
    about(lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'the stored version within its quiet time changes nothing': branch('invalidate/quiet', async (subject) => {
    const version = await subject.accept('a', undefined, { quietMs: LONG_MS })
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, 0, 'what is rejected')
  }),

  'the stored version after its quiet time is rejected': branch('invalidate/rejected', async (subject) => {
    const version = await subject.accept('a', undefined, { quietMs: SHORT_MS })
    await subject.passShort()
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, version, 'what is rejected')
  }),

  'the quiet time counts from the acceptance': branch('invalidate/quiet', async (subject) => {
    const past = (await subject.nowAsFence()) - 2 * LONG_MS * 1000
    await subject.accept('a', past, { quietMs: LONG_MS })
    const { rejectedUpTo } = await subject.invalidate(past)
    same(rejectedUpTo, 0, 'what is rejected')
  }),

  'a version above the stored one is rejected also within the quiet time': branch('invalidate/rejected', async (subject) => {
    const version = await subject.accept('a', undefined, { quietMs: LONG_MS })
    const { rejectedUpTo } = await subject.invalidate(version + 5)
    same(rejectedUpTo, version + 5, 'what is rejected')
  }),

  'a publication without a quiet time ends the one before': branch('invalidate/rejected', async (subject) => {
    const version = await subject.accept('a', undefined, { quietMs: LONG_MS })
    await subject.accept('b', version + 1)
    const { rejectedUpTo } = await subject.invalidate(version + 1)
    same(rejectedUpTo, version + 1, 'what is rejected')
  }),
}
