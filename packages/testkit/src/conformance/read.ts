import type { Cases } from './cases.ts'
import { about, atMost, same } from './expect.ts'
import { LONG_MS, past, patient, SHORT_MS } from './subject.ts'

export const readCases: Cases = {
  'snapshots come in the order of the keys, one for each, also for a key asked for twice': async (subject) => {
    await subject.accept('a', undefined, {}, 'z')
    await subject.accept('b', undefined, {}, 'm')
    const keys = ['z', 'm', 'z']
    const snapshots = await subject.store.read(keys, patient())
    same(
      snapshots.map(({ key, value }) => [key, value]),
      [
        ['z', 'by a'],
        ['m', 'by b'],
        ['z', 'by a'],
      ],
      'snapshots',
    )
  },

  'two hundred records are read in one call': async (subject) => {
    await subject.accept('a', undefined, {}, 'z')
    const keys = [...Array.from({ length: 199 }, (_, index) => `unknown ${index}`), 'z']
    const snapshots = await subject.store.read(keys, patient())
    same(
      snapshots.map(({ key, value }) => [key, value]),
      keys.map((key) => [key, key === 'z' ? 'by a' : undefined]),
      'snapshots',
    )
  },

  'no keys give no snapshots': async (subject) => {
    same(await subject.store.read([], patient()), [], 'snapshots')
  },

  'an unknown key is an empty snapshot': async (subject) => {
    const empty = { key: 'unknown', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 }
    same(await subject.read('unknown'), empty, 'snapshot')
  },

  'a value that has ended can be read': async (subject) => {
    await subject.accept('a', undefined, { renewInMs: SHORT_MS, expiresInMs: SHORT_MS })
    await subject.passShort()
    const { value, expiresInMs } = await subject.read()
    same(value, 'by a', 'value')
    atMost(expiresInMs, 0, 'time to the end')
  },

  'a value that was rejected can be read': async (subject) => {
    const version = await subject.accept('a')
    await subject.invalidate(version)
    same((await subject.read()).value, 'by a', 'value')
  },

  'durations grow less while time passes': async (subject) => {
    await subject.accept('a')
    const before = await subject.read()
    await subject.clock.pass(50)
    const after = await subject.read()
    atMost(after.renewInMs, before.renewInMs - 40, 'time to renewal, 50 ms later')
    atMost(after.expiresInMs, before.expiresInMs - 40, 'time to the end, 50 ms later')
  },

  'a live lease can be seen': async (subject) => {
    await subject.grant('a')
    about((await subject.read()).lease?.expiresInMs, LONG_MS, 'lease')
  },

  'a lease that ran out cannot be seen': async (subject) => {
    await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    same((await subject.read()).lease, undefined, 'lease')
  },

  'reading changes nothing': async (subject) => {
    const version = await subject.acceptDue('a')
    await subject.fail('b', { backoffMs: SHORT_MS, config: 'one' }, past(version))
    await subject.passShort()
    await subject.grant('c', { config: 'two', ...past(version) })
    await subject.read()
    const { backoff, value } = await subject.read()
    same([backoff?.failures, value], [1, 'by a'], 'failures and value')
    same((await subject.claim('d', { config: 'three', ...past(version) })).kind, 'held', 'claim')
  },
}
