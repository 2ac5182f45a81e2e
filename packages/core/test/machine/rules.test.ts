import { AssertionError } from 'node:assert'
import type { Claim } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { verdict } from '../../src/machine/verdict.ts'
import { Bench, emptySnapshot, failure, fatal, policy, sharesWhatItFetchedAlone } from './support.ts'

const MINUTE = 60_000
const LIFE = 120 * MINUTE

const ask = (bench: Bench, need: { minLifeMs?: number; since?: number; until?: number } = {}) =>
  verdict(bench.state, { minLifeMs: 0, since: bench.now, until: bench.now + 15_000, ...need }, bench.now, policy)

test('a caller with nothing at hand leads to a claim, a grant to a fetch, a success to a publication under the same fence', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(77)
  bench.fetched('a')
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a', version: 77 } })
  expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 77, value: 'a', quiet: false }])
  bench.publishAccepted()
  expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { published: true } })
})

test('a holder that was paused past its deadline gives the lease up and claims again, after a pause, instead of sending a request', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const sentAt = bench.now
  bench.now += 7_300
  const snapshot = emptySnapshot({ lease: { expiresInMs: 8_000 } })
  bench.send({ type: 'claimed', attempt, sentAt, claim: { kind: 'granted', fence: 5, takeover: false, snapshot }, failure: undefined })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 5, backoffMs: 0 }])
  bench.now += 500
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test('the same value as the rejected one, fetched after the rejection, is published as vouched for and cannot be rejected for a minute', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10 })
  bench.send({
    type: 'invalidated',
    version: bench.must('invalidate').version,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 }),
  })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 10 })
  bench.fetched('a')
  expect(bench.must('publish')).toMatchObject({ fence: 20, quiet: true })
  bench.send({ type: 'rejected', version: 20 })
  expect(bench.take('invalidate')).toBeUndefined()
  bench.now += 61_000
  bench.send({ type: 'rejected', version: 20 })
  expect(bench.take('invalidate')).toMatchObject({ version: 20 })
})

test('the same value from a fetch that was under way when the rejection came is not vouched for, and is fetched once more', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 5 * MINUTE
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: 5 * MINUTE, renewInMs: -1 })
  bench.send({ type: 'rejected', version: 10 })
  bench.send({
    type: 'invalidated',
    version: bench.must('invalidate').version,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: 5 * MINUTE, rejectedUpTo: 20 }),
  })
  bench.fetched('a')
  expect(ask(bench).kind).toBe('wait')
  expect(bench.outstanding).toMatchObject([{ type: 'publish', fence: 20, quiet: false }])
  bench.publishAccepted()
  expect(bench.must('claim')).toMatchObject({ rejected: 20 })
})

test('the same dead value under a newer version is invalidated too, once', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10 })
  bench.must('invalidate')
  bench.send({
    type: 'invalidated',
    version: 10,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 15, value: 'a', expiresInMs: LIFE, renewInMs: LIFE, rejectedUpTo: 10 }),
  })
  expect(bench.must('invalidate').version).toBe(15)
  bench.send({
    type: 'invalidated',
    version: 15,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 15, value: 'a', expiresInMs: LIFE, rejectedUpTo: 15 }),
  })
  expect(bench.take('invalidate')).toBeUndefined()
  expect(bench.take('claim')).toMatchObject({ rejected: 15 })
})

test('a report about an older version, or one already rejected, asks the store for nothing', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 9 })
  bench.send({ type: 'rejected', version: 11 })
  expect(bench.outstanding).toEqual([])
})

test('another holds the lease: hints are switched on, the claim is repeated, and only then is it waited', () => {
  const bench = new Bench()
  bench.hints = 'untried'
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const held = { kind: 'held' as const, snapshot: emptySnapshot({ lease: { expiresInMs: 5_000 } }) }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  bench.must('subscribe')
  bench.hints = 'on'
  bench.send({ type: 'subscribed' })
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  expect(bench.state.activity).toMatchObject({ kind: 'following' })
  bench.send({ type: 'changed', version: 0 })
  bench.must('claim')
})

const HELD = { kind: 'held', snapshot: emptySnapshot({ lease: { expiresInMs: 5_000 } }) } as const

function answered(bench: Bench, claim: Claim, sentAt = bench.now): void {
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt, claim, failure: undefined })
}

test.each([[undefined], [0], [20]])(
  'a hint of version %s that comes while a claim is under way makes an answer that another holds the lease be asked for once more, and once only',
  (version) => {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'changed', ...(version !== undefined && { version }) })
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 1 }])
    answered(bench, HELD)
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
    answered(bench, HELD)
    expect(bench.outstanding).toEqual([])
    expect(bench.state.activity).toMatchObject({ kind: 'following' })
  },
)

test.each(['untried', 'off'] as const)(
  'hints that were %s when a claim was sent and are on when it is answered that another holds the lease: what they did not tell is asked for',
  (before) => {
    const bench = new Bench()
    bench.hints = before
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.hints = 'on'
    answered(bench, HELD)
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
    answered(bench, HELD)
    expect(bench.outstanding).toEqual([])
    expect(bench.state.activity).toMatchObject({ kind: 'following' })
  },
)

test('a newer version that is announced while a claim is under way is read at once if the answer is to wait out a failure', () => {
  for (const version of [10, 20]) {
    const bench = new Bench()
    bench.minted('a', 10)
    bench.now = (bench.state.token?.renewAt ?? 0) + 1
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'changed', version })
    answered(bench, { kind: 'backoff', snapshot: emptySnapshot({ backoff: { retryInMs: 60_000, failure: '', failures: 1 } }) })
    expect(bench.outstanding).toMatchObject(version > 10 ? [{ type: 'read' }] : [])
    expect(bench.state.activity).toMatchObject({ kind: 'cooling' })
  }
})

test('where there are no hints, a claim that finds the lease held is not repeated before something is due', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.waiting = true
  bench.send({ type: 'wanted' })
  answered(bench, HELD)
  expect(bench.outstanding).toEqual([])
  expect(bench.state.activity).toMatchObject({ kind: 'following' })
  expect(bench.wakeDue()).toBe(false)
})

test('a process that closes does not ask again who holds the lease, whatever it has heard', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'changed' })
  bench.send({ type: 'close', finish: true })
  answered(bench, HELD)
  expect(bench.outstanding).toEqual([])
  expect(bench.state.activity).toEqual({ kind: 'closed' })
})

test('a renewal that nobody waits for and that finds the lease held leaves the store alone until the lease ends', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.minted('a', 10)
  bench.now += LIFE - 5 * MINUTE
  bench.send({ type: 'woke' })
  const held = {
    kind: 'held' as const,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: 5 * MINUTE, lease: { expiresInMs: 5_000 } }),
  }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim: held, failure: undefined })
  bench.now += 4_900
  expect(bench.wakeDue()).toBe(false)
  bench.now += 300
  expect(bench.wakeDue()).toBe(true)
  bench.send({ type: 'woke' })
  bench.must('claim')
})

test('without hints a waiting caller has the record re-read after 25 ms at most, then ever less often, up to half a second', () => {
  const bench = new Bench()
  bench.hints = 'off'
  bench.chance = 0.999
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const held = emptySnapshot({ lease: { expiresInMs: 60_000 } })
  bench.send({
    type: 'claimed',
    attempt: bench.must('claim').attempt,
    sentAt: bench.now,
    claim: { kind: 'held', snapshot: held },
    failure: undefined,
  })
  const gaps: number[] = []
  for (let round = 0; round < 8; round += 1) {
    const { activity } = bench.state
    if (activity.kind !== 'following') throw new AssertionError({ message: activity.kind })
    gaps.push(activity.rereadAt - bench.now)
    bench.now = activity.rereadAt
    bench.send({ type: 'woke' })
    bench.must('read')
    bench.send({ type: 'told', sentAt: bench.now, snapshot: held, read: true })
  }
  expect(gaps[0]).toBeLessThanOrEqual(25)
  expect(gaps.at(-1)).toBeLessThanOrEqual(500)
  expect(gaps.at(-1)).toBeGreaterThan(400)
})

test('a failure that no retry can help fails callers at once; one that may pass lets them wait, unless it outlasts their patience', () => {
  for (const [why, expected] of [
    [fatal, 'fail'],
    [failure, 'wait'],
  ] as const) {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.claimGranted()
    bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: why, outcome: 'failed' })
    expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
    expect(ask(bench).kind).toBe(expected)
    expect(ask(bench, { until: bench.now + 10 }).kind).toBe('fail')
    expect(ask(bench, { until: bench.now + 10 * MINUTE }).kind).toBe(expected)
  }
})

test('a fetch that lacks something releases its lease before it waits', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(9)
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'blocked' })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 9, backoffMs: 0 }, { type: 'await-dependency' }])
  bench.must('await-dependency')
  bench.send({ type: 'unblocked' })
  bench.must('claim')
})

test('past the renewal point and below the floor a caller waits a second for something newer, then gets the old token', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 30_000
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const since = bench.now
  expect(ask(bench, { since })).toEqual({ kind: 'wait', again: since + 1_000 })
  bench.now += 1_000
  expect(ask(bench, { since })).toMatchObject({ kind: 'serve', token: { value: 'a' } })
})

test('with a backoff in force nobody waits for something newer', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE - 30_000
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(20, { version: 10, value: 'a', expiresInMs: 30_000 })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a' } })
})

test('a token that hardly lives is given to its callers, not to the fleet, and not fetched again at once', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('brief', 10_000)
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'brief' } })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 5 }])
  expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
})

test('a claim says that a version which has ended on this node is not fresh', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + 1
  bench.waiting = true
  bench.send({ type: 'wanted' })
  expect(bench.must('claim')).toMatchObject({ seen: 10, rejected: 10 })
})

/** A claim that is answered after so long that another has published a value, which ends just before the answer is here. */
function endedOnItsWay(tookMs: number, waiting: boolean): Bench {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.waiting = waiting
  const sentAt = bench.now
  bench.now += tookMs
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: 1_000, expiresInMs: tookMs - 1 })
  answered(bench, { kind: 'fresh', snapshot }, sentAt)
  return bench
}

const blamed = (bench: Bench) =>
  bench.done.flatMap((effect) => (effect.type === 'notify' && effect.notice.type === 'detached' ? [effect.notice.failure.code] : []))

test('a value called fresh that has ended while the process stood still is claimed anew for whoever waits, and is nobody’s fault', () => {
  const bench = endedOnItsWay(5_001, true)
  expect(blamed(bench)).toEqual([])
  expect(bench.state.failure).toBeUndefined()
  expect(bench.outstanding).toMatchObject([{ type: 'claim', rejected: 20 }])
  const alone = endedOnItsWay(5_001, false)
  expect(blamed(alone)).toEqual([])
  expect(alone.outstanding).toEqual([])
  expect(alone.state.activity).toMatchObject({ kind: 'idle' })
})

test('a value called fresh that has ended though the answer is not old is the fault of a clock, and is said to be', () => {
  const bench = endedOnItsWay(5_000, true)
  expect(blamed(bench)).toEqual(['STORE_INCOMPATIBLE'])
  expect(bench.outstanding).toMatchObject([{ type: 'fetch', detached: true }])
  const alone = endedOnItsWay(5_000, false)
  expect(blamed(alone)).toEqual(['STORE_INCOMPATIBLE'])
  expect(alone.state.activity).toMatchObject({ kind: 'detached' })
})

test('without the store a process fetches for itself, and shares the token later only if nothing was rejected meanwhile', () => {
  for (const rejectedUpTo of [0, 50]) {
    const bench = new Bench()
    bench.waiting = true
    bench.send({ type: 'wanted' })
    bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
    expect(bench.outstanding).toMatchObject([{ type: 'fetch', detached: true }])
    bench.fetched('alone')
    expect(bench.take('publish')).toBeUndefined()
    expect(bench.state).toMatchObject({ activity: { kind: 'detached' }, token: { version: 1, published: false } })
    bench.waiting = false
    bench.asked = false
    bench.now += 31_000
    bench.send({ type: 'woke' })
    bench.claimGranted(100, { rejectedUpTo })
    expect(bench.outstanding).toMatchObject(rejectedUpTo === 0 ? [{ type: 'publish', fence: 100, value: 'alone' }] : [{ type: 'fetch' }])
  }
})

test('a publication without an answer is sent again under the same attempt and fence, and callers have the token meanwhile', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('a')
  const first = bench.must('publish')
  bench.send({ type: 'publish-failed', attempt: first.attempt, failure })
  expect(ask(bench).kind).toBe('serve')
  expect(bench.wakeDue()).toBe(false)
  bench.now += 31_000
  bench.send({ type: 'woke' })
  expect(bench.must('publish')).toEqual(first)
})

test('superseded: the newer token is taken over', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(5)
  bench.fetched('late')
  const snapshot = emptySnapshot({ version: 9, value: 'newer', expiresInMs: LIFE, renewInMs: LIFE / 2 })
  bench.send({
    type: 'published',
    attempt: bench.must('publish').attempt,
    sentAt: bench.now,
    publication: { kind: 'superseded', snapshot },
  })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'newer', version: 9 } })
})

test('while the clocks disagree the token is not served, and one read brings it back with the earlier of the two ends', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  const end = bench.state.token?.expiresAt
  bench.send({ type: 'doubted' })
  bench.send({ type: 'doubted' })
  expect(ask(bench).kind).toBe('wait')
  bench.must('read')
  expect(bench.take('read')).toBeUndefined()
  bench.send({
    type: 'told',
    sentAt: bench.now,
    read: true,
    snapshot: emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE * 2, renewInMs: LIFE }),
  })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { expiresAt: end } })
})

test('a wait that is doubted ends for the next caller, who is told by the store what is left of it; one that is over stays so', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted()
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure: fatal, outcome: 'failed' })
  expect(ask(bench)).toEqual({ kind: 'fail', failure: fatal })
  bench.send({ type: 'doubted' })
  expect(bench.state.activity).toMatchObject({ kind: 'cooling', retryAt: bench.now })
  expect(ask(bench).kind).toBe('wait')
  bench.now += 10
  bench.send({ type: 'doubted' })
  expect(bench.state.activity).toMatchObject({ retryAt: bench.now - 10 })

  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const snapshot = emptySnapshot({ backoff: { retryInMs: 4 * MINUTE, failure: '', failures: 1 } })
  bench.send({ type: 'claimed', attempt, sentAt: bench.now, claim: { kind: 'backoff', snapshot }, failure: fatal })
  expect(bench.state.activity).toMatchObject({ kind: 'cooling', retryAt: bench.now + 4 * MINUTE })
})

test('an idle key lapses when it falls due, and the next caller starts the renewal while it is served', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.asked = false
  bench.now += LIFE - 5 * MINUTE
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  expect(bench.wakeDue()).toBe(false)
  expect(ask(bench).kind).toBe('serve')
  bench.send({ type: 'wanted' })
  bench.must('claim')
})

test('a token whose life is shorter than the caller asks is no reason to fetch again before it is due', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'wanted' })
  expect(ask(bench, { minLifeMs: LIFE + 1 })).toMatchObject({ kind: 'short' })
  expect(bench.outstanding).toEqual([])
})

test('a token fetched alone is not shared when an older version was rejected meanwhile: it may be the same dead value', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + 1
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('alone')
  expect(bench.state.token?.version).toBe(11)
  bench.waiting = false
  bench.now += 31_000
  bench.send({ type: 'woke' })
  bench.claimGranted(100, { version: 10, value: 'a', rejectedUpTo: 10 })
  bench.must('fetch')
})

test('a token fetched alone ranks above everything that this process knows rejected', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'rejected', version: 10 })
  const snapshot = emptySnapshot({ version: 10, value: 'a', expiresInMs: LIFE, rejectedUpTo: 50 })
  bench.send({ type: 'invalidated', version: bench.must('invalidate').version, sentAt: bench.now, snapshot })
  bench.waiting = true
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('alone')
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { version: 51 } })
})

test('a caller that holds a token by the version it had before it was shared can still report it', () => {
  const bench = new Bench()
  sharesWhatItFetchedAlone(bench)
  bench.publishAccepted()
  bench.send({ type: 'rejected', version: 1 })
  expect(bench.must('invalidate').version).toBe(100)
})

test('a claim that was not answered is claimed again as the same one, so that a grant made late is its own', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  bench.send({ type: 'claim-failed', attempt, failure })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt }])
  bench.claimGranted(50)
  bench.fetched('a')
  bench.publishAccepted()
  bench.now += LIFE
  bench.send({ type: 'wanted' })
  expect(bench.must('claim').attempt).toBeGreaterThan(attempt)
})

test('a hint whose read fails is not forgotten: the store is probed until it answers', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 20 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.send({ type: 'read-failed' })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'a' } })
  expect(bench.outstanding).toEqual([])
  bench.now += 1_000
  bench.send({ type: 'woke' })
  const { attempt } = bench.must('claim')
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'claimed', attempt, sentAt: bench.now, claim: { kind: 'fresh', snapshot }, failure: undefined })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'b' } })
})

test('a hint whose read fails while nobody asks is looked into by the next caller', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 20 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.asked = false
  bench.send({ type: 'read-failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'wanted' })
  bench.must('read')
})

test('a hint that the store is back brings the probe of a store that was down nearer', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  for (let probe = 0; probe < 8; probe += 1) {
    bench.send({ type: 'changed' })
    bench.send({ type: 'wanted' })
    if (bench.take('read')) bench.send({ type: 'read-failed' })
    bench.now += 30_000
    bench.send({ type: 'woke' })
    const claim = bench.take('claim')
    if (claim) bench.send({ type: 'claim-failed', attempt: claim.attempt, failure })
  }
  bench.send({ type: 'changed' })
  bench.now += 500
  expect(bench.wakeDue()).toBe(true)
  bench.send({ type: 'woke' })
  bench.must('claim')
})

/** A claim that is not answered, and the one after it, which is the same. */
function claimedAgain(bench: Bench): number {
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  if (bench.take('fetch')) bench.send({ type: 'fetch-failed', attempt: bench.state.attempts, failure, outcome: 'failed' })
  bench.now += 1_000
  bench.send({ type: 'woke' })
  const { attempt } = bench.must('claim')
  bench.outstanding.unshift({ type: 'claim', attempt, leaseMs: 8_000, seen: 0, rejected: 0 })
  return attempt
}

test('a lease granted late, when a fresh token is there already, is given back', () => {
  const bench = new Bench()
  bench.waiting = true
  claimedAgain(bench)
  bench.claimGranted(50, { version: 40, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  expect(ask(bench)).toMatchObject({ kind: 'serve', token: { value: 'b' } })
  expect(bench.outstanding).toMatchObject([{ type: 'settle', fence: 50, backoffMs: 0 }])
})

test('a lease granted late, whose fence a rejection covers, is given back and claimed anew', () => {
  const bench = new Bench()
  bench.waiting = true
  const attempt = claimedAgain(bench)
  bench.claimGranted(50, { version: 40, value: 'b', expiresInMs: LIFE, rejectedUpTo: 50 })
  expect(bench.must('settle')).toMatchObject({ attempt, fence: 50, backoffMs: 0 })
  expect(bench.must('claim')).toMatchObject({ attempt: attempt + 1, rejected: 50 })
  expect(bench.outstanding).toEqual([])
})

test('a hint that comes while the record is read is looked into once more', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.send({ type: 'changed', version: 10 })
  bench.send({ type: 'wanted' })
  bench.must('read')
  bench.send({ type: 'changed', version: 10 })
  const snapshot = emptySnapshot({ version: 10, value: 'a', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
  expect(bench.outstanding).toEqual([])
  bench.send({ type: 'wanted' })
  bench.must('read')
})

test('what a snapshot says of a life counts from when the store was asked, not from when it answered', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  const sentAt = bench.now
  bench.now += 900
  const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
  bench.send({ type: 'told', sentAt, snapshot, read: true })
  const { token } = bench.state
  expect(token).toMatchObject({ version: 20, expiresAt: sentAt + LIFE })
  expect(token?.renewAt).toBeGreaterThanOrEqual(sentAt + LIFE / 2)
  expect(token?.renewAt).toBeLessThanOrEqual(sentAt + LIFE / 2 + 5_000)
})

test('processes that have a token from the store do not come for the next one in the same instant', () => {
  const renewAt = [0, 0.5, 0.99].map((chance) => {
    const bench = new Bench()
    bench.chance = chance
    const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs: LIFE / 2, expiresInMs: LIFE })
    bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
    return (bench.state.token?.renewAt ?? 0) - bench.now
  })
  expect(renewAt).toEqual([LIFE / 2, LIFE / 2 + 2_500, LIFE / 2 + 4_950])
})

test('nor do they where the store, its clock set back, would put the renewal off beyond the end that they know', () => {
  const renewals = [0, 0.5, 0.99].map((chance) => {
    const bench = new Bench()
    bench.chance = chance
    const told = (renewInMs: number, expiresInMs: number) => {
      const snapshot = emptySnapshot({ version: 20, value: 'b', renewInMs, expiresInMs })
      bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
    }
    told(10 * MINUTE, 20 * MINUTE)
    const end = bench.now + 20 * MINUTE
    bench.now += MINUTE
    told(39 * MINUTE, 49 * MINUTE)
    expect(bench.state.token?.expiresAt).toBe(end)
    return end - (bench.state.token?.renewAt ?? 0)
  })
  // The last minute is the policy's floor; what a claim says of a token that it must not be answered with begins there.
  expect(renewals).toEqual([MINUTE, MINUTE - 2_500, MINUTE - 4_950])
})

test('a fence that is not above what was served is not published under, whatever the store says', () => {
  const bench = new Bench()
  bench.minted('a', 10)
  bench.now += LIFE + MINUTE
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  expect(bench.must('settle')).toMatchObject({ fence: 10, backoffMs: 0 })
  bench.fetched('b')
  expect(bench.take('publish')).toBeUndefined()
  expect(bench.state.token).toMatchObject({ value: 'b', version: 11, published: false })
})

test('a failure that others have had is waited out, and the next one here counts after theirs', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const backoff = { retryInMs: 20_000, failure: '', failures: 3 }
  const claim = { kind: 'backoff' as const, snapshot: emptySnapshot({ backoff }) }
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, claim, failure })
  bench.now += 19_900
  bench.send({ type: 'woke' })
  expect(bench.outstanding).toEqual([])
  bench.now += 100
  bench.send({ type: 'woke' })
  bench.claimGranted(30, { backoff: { ...backoff, retryInMs: 0 } })
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'failed' })
  expect(bench.must('settle').backoffMs).toBe(3_000)
})

test('the life of what was fetched counts from when it was asked for', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.claimGranted(10)
  const sentAt = bench.now
  bench.now += 3_000
  bench.send({ type: 'fetched', attempt: bench.must('fetch').attempt, sentAt, value: 'a', expiresInMs: LIFE })
  expect(bench.must('publish')).toMatchObject({ expiresAt: sentAt + LIFE })
})

test('without the store a request has as long as with it, and no longer', () => {
  const bench = new Bench()
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  expect(bench.must('fetch')).toMatchObject({ detached: true, deadline: bench.now + policy.requestTimeoutMs })
})
