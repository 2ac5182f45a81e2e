import type { Cases } from './cases.ts'
import { same } from './expect.ts'
import { LONG_MS, past, patient, subscribe } from './subject.ts'

export const subscribeCases: Cases = {
  'an accepted publication is announced': async (subject) => {
    const feed = await subject.listen()
    await feed.expect(await subject.accept('a'))
  },

  'a release is announced': async (subject) => {
    const feed = await subject.listen()
    const version = await feed.past(await subject.acceptDue('a'))
    const fence = await subject.grant('b', past(version))
    await subject.settle('b', fence)
    await feed.expect(version)
  },

  'a failure is announced, also when nothing was ever published': async (subject) => {
    const feed = await subject.listen()
    await subject.fail('a')
    await feed.expect(0)
  },

  'an invalidation is announced': async (subject) => {
    const feed = await subject.listen()
    const version = await feed.past(await subject.accept('a'))
    await subject.invalidate(version)
    await feed.expect(version)
  },

  'a change can be read by the time it is announced': async (subject) => {
    const [first] = subject.open.stores
    const read: Promise<number>[] = []
    const stop = await subscribe(first, () => read.push(subject.read().then(({ version }) => version)))
    const version = await subject.accept('a')
    for (let round = 0; round < 50 && read.length === 0; round++) await subject.clock.pass(20)
    same(await read[0], version, 'version read by the listener')
    await stop()
  },

  'changes made through either instance are announced': async (subject) => {
    const feed = await subject.listen()
    const version = await subject.accept('a')
    await subject.accept('b', version + 1)
    await feed.expect(version)
    await feed.expect(version + 1)
  },

  'a publication that changed nothing is not announced': async (subject) => {
    const feed = await subject.listen()
    const version = await feed.past(await subject.accept('a'))
    await subject.publish('b', version - 1)
    await subject.publish('c', version + LONG_MS * 1000, { maxAheadMs: 1000 })
    await feed.expectNothing()
  },

  'a publication delivered again is not announced again': async (subject) => {
    const feed = await subject.listen()
    const version = await feed.past(await subject.accept('a'))
    await subject.publish('a', version)
    await feed.expectNothing()
  },

  'a settlement that changed nothing is not announced': async (subject) => {
    const feed = await subject.listen()
    await subject.settle('a', 5, { backoffMs: LONG_MS })
    await feed.expectNothing()
  },

  'an invalidation that changed nothing is not announced': async (subject) => {
    const feed = await subject.listen()
    const version = await feed.past(await subject.accept('a'))
    await subject.invalidate(version - 1)
    await feed.expectNothing()
  },

  'reads and claims are not announced': async (subject) => {
    const feed = await subject.listen()
    await subject.claim('a')
    await subject.read()
    await feed.expectNothing()
  },

  'after unsubscribing nothing is announced, and other listeners go on': async (subject) => {
    const ended = await subject.listen()
    const other = await subject.listen()
    await ended.stop()
    await other.expect(await subject.accept('a'))
    same(ended.changes, [], 'changes told to the one that unsubscribed')
  },

  'unsubscribing twice is harmless': async (subject) => {
    const feed = await subject.listen()
    await feed.stop()
    await feed.stop()
  },

  'a listener that throws harms neither the operation nor other listeners': async (subject) => {
    await subscribe(subject.open.stores[0], () => {
      throw new Error('a listener that fails')
    })
    const feed = await subject.listen()
    const version = await subject.accept('a')
    await feed.expect(version)
    await feed.expect(await subject.accept('b', version + 1))
  },

  'close ends the subscriptions of its instance': async (subject) => {
    const [first, second] = subject.open.stores
    const feed = await subject.listen()
    await first.close()
    // What an instance that is alone with its records does after it was closed, the contract does not say.
    if (second !== first) await second.invalidate('a key', 5, patient())
    await feed.expectNothing()
  },
}

export const noPushCases: Cases = {
  'a store that cannot push has no subscribe': async (subject) => {
    same(subject.store.subscribe, undefined, 'subscribe')
  },
}
