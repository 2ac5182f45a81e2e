import type { Cases } from './cases.ts'
import { atMost, same } from './expect.ts'
import { LONG_MS, type Subject } from './subject.ts'

/** Back by far more than any duration the tests use. */
async function stepBack({ clock }: Subject): Promise<void> {
  if (clock.stepBack === undefined) throw new Error('needs a clock that can be set back')
  await clock.stepBack(100 * LONG_MS)
}

/** A deadline that is further away than its length has passed. */
export const clockStepCases: Cases = {
  'a lease that ends further away than it is long is over': async (subject) => {
    await subject.grant('a')
    await stepBack(subject)
    same((await subject.read()).lease, undefined, 'lease')
    same((await subject.claim('b')).kind, 'granted', 'claim')
  },

  'a failure under such a lease is not shared': async (subject) => {
    const fence = await subject.grant('a')
    await stepBack(subject)
    const { backoff } = await subject.settle('a', fence, { backoffMs: LONG_MS })
    same(backoff, undefined, 'backoff')
  },

  'a renewal that is further away than when it was set is due': async (subject) => {
    await subject.accept('a')
    await stepBack(subject)
    const { kind, snapshot } = await subject.claim('b')
    same(kind, 'granted', 'claim')
    atMost(snapshot.renewInMs, 0, 'time to renewal')
  },

  'a value whose end is further away than when it was set has ended': async (subject) => {
    await subject.accept('a')
    await stepBack(subject)
    const { expiresInMs } = await subject.read()
    atMost(expiresInMs, 0, 'time to the end')
  },

  'a retry that is further away than when it was set is due': async (subject) => {
    await subject.fail('a')
    await stepBack(subject)
    const { kind, snapshot } = await subject.claim('b')
    same(kind, 'granted', 'claim')
    atMost(snapshot.backoff?.retryInMs, 0, 'time to the retry')
  },

  'a quiet time whose end is further away than it is long is over': async (subject) => {
    const version = await subject.accept('a', undefined, { quietMs: LONG_MS })
    await stepBack(subject)
    const { rejectedUpTo } = await subject.invalidate(version)
    same(rejectedUpTo, version, 'what is rejected')
  },
}
