import { branch, type Cases } from './cases.ts'
import { about, atMost, same } from './expect.ts'
import { LONG_MS, past, SHORT_MS } from './subject.ts'

export const claimCases: Cases = {
  'a grant says how long its lease is': branch('claim/granted', async (subject) => {
    const claim = await subject.claim('a')
    about(claim.snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'the attempt that holds the live lease is granted it again, with the same fence': branch('claim/own-lease', async (subject) => {
    const fence = await subject.grant('a')
    same(await subject.grant('a'), fence, 'fence of the second claim')
  }),

  'attempts that differ by case are different attempts': branch('claim/held', async (subject) => {
    await subject.grant('attempt')
    same((await subject.claim('Attempt')).kind, 'held', 'claim by the other')
  }),

  'a lease granted again is not extended': branch('claim/own-lease', async (subject) => {
    await subject.grant('a')
    const { snapshot } = await subject.claim('a', { leaseMs: 3 * LONG_MS })
    atMost(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  "an attempt's own live lease comes before a fresh value": branch('claim/own-lease', async (subject) => {
    const fence = await subject.grant('a')
    await subject.accept('b', fence + 1)
    const { kind } = await subject.claim('a')
    same(kind, 'granted', 'claim by the holder')
  }),

  "an attempt's own live lease comes before a backoff": branch('claim/own-lease', async (subject) => {
    await subject.fail('a', { config: 'one' })
    await subject.grant('b', { config: 'two' })
    const { kind } = await subject.claim('b')
    same(kind, 'granted', 'claim by the holder')
  }),

  'a value that is not due for renewal is fresh': branch('claim/fresh', async (subject) => {
    const version = await subject.accept('a')
    const { kind, snapshot } = await subject.claim('b')
    same([kind, snapshot.version, snapshot.value], ['fresh', version, 'by a'], 'claim')
  }),

  'a value that is due for renewal is not fresh': branch('claim/granted', async (subject) => {
    await subject.accept('a', undefined, { renewInMs: 0 })
    const { kind } = await subject.claim('b')
    same(kind, 'granted', 'claim')
  }),

  'a value below the highest version the caller has seen is not fresh': branch('claim/granted', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.claim('b', { seen: version + 1 })
    same(kind, 'granted', 'claim')
  }),

  'a value of just the highest version the caller has seen is fresh': branch('claim/fresh', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.claim('b', { seen: version })
    same(kind, 'fresh', 'claim')
  }),

  'a value that the caller knows to be rejected is not fresh': branch('claim/granted', async (subject) => {
    const version = await subject.accept('a')
    const { kind } = await subject.claim('b', { rejected: version })
    same(kind, 'granted', 'claim')
  }),

  'a value that was invalidated is not fresh': branch('claim/granted', async (subject) => {
    const version = await subject.accept('a')
    await subject.invalidate(version)
    const { kind } = await subject.claim('b')
    same(kind, 'granted', 'claim')
  }),

  'a fresh value comes before a backoff': branch('claim/fresh', async (subject) => {
    const version = await subject.accept('a')
    await subject.fail('b', {}, past(version))
    const { kind } = await subject.claim('c')
    same(kind, 'fresh', 'claim')
  }),

  "a fresh value comes before another attempt's live lease": branch('claim/fresh', async (subject) => {
    const version = await subject.accept('a')
    await subject.grant('b', past(version))
    const { kind } = await subject.claim('c')
    same(kind, 'fresh', 'claim')
  }),

  "a backoff comes before another attempt's live lease": branch('claim/backoff', async (subject) => {
    await subject.fail('a', { config: 'one' })
    await subject.grant('b', { config: 'two' })
    const { kind } = await subject.claim('c', { config: 'one' })
    same(kind, 'backoff', 'claim')
  }),

  'a backoff in force holds back a caller with the configuration that failed': branch('claim/backoff', async (subject) => {
    await subject.fail('a', { config: 'one' })
    const { kind, snapshot } = await subject.claim('b', { config: 'one' })
    same(kind, 'backoff', 'claim')
    about(snapshot.backoff?.retryInMs, LONG_MS, 'time to the retry')
  }),

  'a backoff in force holds back a caller that names no configuration': branch('claim/backoff', async (subject) => {
    await subject.fail('a', { config: 'one' })
    const { kind } = await subject.claim('b')
    same(kind, 'backoff', 'claim')
  }),

  'a backoff that names no configuration holds back everybody': branch('claim/backoff', async (subject) => {
    await subject.fail('a')
    const { kind } = await subject.claim('b', { config: 'one' })
    same(kind, 'backoff', 'claim')
  }),

  'a backoff does not hold back a caller with another configuration': branch('claim/other-config', async (subject) => {
    await subject.fail('a', { config: 'one' })
    const { kind } = await subject.claim('b', { config: 'two' })
    same(kind, 'granted', 'claim')
  }),

  'a backoff that is due holds back nobody': branch('claim/granted', async (subject) => {
    await subject.fail('a', { backoffMs: SHORT_MS })
    await subject.passShort()
    const { kind } = await subject.claim('b')
    same(kind, 'granted', 'claim')
  }),

  "another attempt's live lease is answered with the time it has left": branch('claim/held', async (subject) => {
    await subject.grant('a')
    const { kind, snapshot } = await subject.claim('b', { leaseMs: SHORT_MS })
    same(kind, 'held', 'claim')
    about(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'a claim that is held changes nothing': branch('claim/held', async (subject) => {
    await subject.grant('a')
    await subject.claim('b', { leaseMs: 3 * LONG_MS })
    const { kind, snapshot } = await subject.claim('a')
    same(kind, 'granted', 'claim by the holder')
    atMost(snapshot.lease?.expiresInMs, LONG_MS, 'lease')
  }),

  'a lease that ran out holds back nobody': branch('claim/taken-over', async (subject) => {
    await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    const { kind } = await subject.claim('b')
    same(kind, 'granted', 'claim')
  }),
}
