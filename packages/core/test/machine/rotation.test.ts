import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Effect } from '../../src/machine/happenings.ts'
import { ask, Bench, emptySnapshot, failure, moves, policy, rotating, SHARE, spent } from './support.ts'

/** Runs random moves; `check` is given what each of them led to. */
function always(check: (bench: Bench, before: Bench['state'], effects: readonly Effect[]) => void): void {
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 80, size: 'max' }), (script) => {
      const bench = new Bench(rotating)
      for (const move of script) {
        const { state, done } = bench
        const asked = done.length
        move(bench)
        check(bench, state, bench.done.slice(asked))
      }
    }),
    { numRuns: 5_000 * SHARE },
  )
}

test('nothing is used up without a lease', () => {
  always((bench, _, effects) => {
    for (const effect of effects) if (effect.type === 'fetch') expect(effect.detached).toBe(false)
    if (bench.state.activity.kind === 'fetching') expect(bench.state.activity.grant).toBeDefined()
  })
})

test('what was brought is published until the store has answered, or the process was told to end now', () => {
  always((bench, before) => {
    const { activity, closing } = bench.state
    if (before.activity.kind !== 'publishing') return
    const answered = activity.kind !== 'publishing' && !bench.outstanding.some(({ type }) => type === 'publish')
    if (activity.kind === 'publishing') expect(activity.fence).toBe(before.activity.fence)
    else expect(answered || closing === 'now').toBe(true)
  })
})

test('a lease under which the outcome is unknown is never settled', () => {
  const unknown = new WeakMap<Bench, Set<number>>()
  always((bench, before, effects) => {
    const failed = unknown.get(bench) ?? new Set<number>()
    unknown.set(bench, failed)
    for (const effect of effects) {
      if (effect.type === 'notify' && effect.notice.type === 'outcome-unknown' && before.activity.kind === 'fetching') {
        failed.add(before.activity.attempt)
      }
      if (effect.type === 'settle') expect(failed.has(effect.attempt)).toBe(false)
    }
  })
})

test('after a takeover the record is read again, late enough, before anything is used up', () => {
  always((bench, before, effects) => {
    if (before.activity.kind !== 'rereading' || !effects.some(({ type }) => type === 'fetch')) return
    expect(before.reading).toBe(true)
    expect(bench.now).toBeGreaterThanOrEqual(before.activity.at)
    expect(before.activity.refusal).toBeUndefined()
  })
})

function granted(takeover: boolean, snapshot: Parameters<typeof emptySnapshot>[0] = {}): Bench {
  const bench = new Bench(rotating)
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const held = emptySnapshot({ version: 50, value: 'r', lease: { expiresInMs: 12_000 }, ...snapshot })
  bench.send({
    type: 'claimed',
    attempt,
    sentAt: bench.now,
    failure: undefined,
    claim: { kind: 'granted', fence: 100, takeover, snapshot: held },
  })
  return bench
}

test('the newest secret known is used, and named', () => {
  const bench = granted(false)
  expect(bench.must('fetch').previous).toEqual({ value: 'r', version: 50 })
  bench.send({ type: 'fetched', attempt: 1, sentAt: bench.now, value: 's', expiresInMs: 7_200_000 })
  expect(bench.must('publish')).toMatchObject({ fence: 100, basedOn: 50 })
})

test('what the store has superseded is served to its end, and renews nothing: a new login came in between', () => {
  const bench = granted(false)
  bench.must('fetch')
  bench.send({ type: 'fetched', attempt: 1, sentAt: bench.now, value: 's', expiresInMs: 7_200_000 })
  bench.must('publish')
  const login = emptySnapshot({ version: 90, value: 'another login', renewInMs: 5_000_000, expiresInMs: 7_000_000 })
  bench.send({ type: 'published', attempt: 1, sentAt: bench.now, publication: { kind: 'superseded', snapshot: login } })
  expect(bench.state.token).toMatchObject({ value: 's', version: 100 })

  bench.now += 7_100_000
  bench.send({ type: 'wanted' })
  const { attempt } = bench.must('claim')
  const snapshot = emptySnapshot({ version: 90, value: 'another login', lease: { expiresInMs: 12_000 } })
  bench.send({
    type: 'claimed',
    attempt,
    sentAt: bench.now,
    failure: undefined,
    claim: { kind: 'granted', fence: 200, takeover: false, snapshot },
  })
  expect(bench.must('fetch').previous).toEqual({ value: 'another login', version: 90 })
})

test('a token that has ended on its way is published all the same, and served to nobody', () => {
  const bench = granted(false)
  bench.now += 60_000
  bench.must('fetch')
  bench.send({ type: 'fetched', attempt: 1, sentAt: bench.now - 60_000, value: 's', expiresInMs: 1_000 })
  expect(bench.must('publish')).toMatchObject({ expiresAt: bench.now })
  expect(ask(bench)).toEqual({ kind: 'wait' })
})

test('a newer version that appears during the wait is gone on with, and the lease let go', () => {
  const bench = granted(true)
  expect(bench.take('fetch')).toBeUndefined()
  bench.send({ type: 'changed', version: 80 })
  bench.must('read')
  bench.send({
    type: 'told',
    read: true,
    sentAt: bench.now,
    snapshot: emptySnapshot({ version: 80, value: 's', renewInMs: 5_000_000, expiresInMs: 7_000_000 }),
  })
  expect(bench.must('settle')).toMatchObject({ fence: 100, backoffMs: 0 })
  expect(bench.state).toMatchObject({ activity: { kind: 'idle' }, token: { version: 80 } })
})

test('a read from before the end of the wait does not count', () => {
  const bench = granted(true)
  bench.send({ type: 'changed', version: 40 })
  bench.must('read')
  const early = bench.now
  bench.now += 3_100
  bench.send({ type: 'told', read: true, sentAt: early, snapshot: emptySnapshot({ version: 50, value: 'r' }) })
  expect(bench.take('fetch')).toBeUndefined()
  expect(bench.wakeDue()).toBe(true)
  bench.send({ type: 'woke' })
  bench.must('read')
  bench.send({ type: 'told', read: true, sentAt: bench.now, snapshot: emptySnapshot({ version: 50, value: 'r' }) })
  expect(bench.must('fetch').previous).toEqual({ value: 'r', version: 50 })
})

test.each([[false], [true]])(
  'a process whose machine slept during the wait lets its lease run out and uses nothing up under it, read under way: %s',
  (reading) => {
    const bench = granted(true)
    bench.now += 3_100
    if (reading) bench.send({ type: 'woke' })
    bench.send({ type: 'doubted' })
    expect(bench.state.activity).toMatchObject({ kind: 'following' })
    if (reading) {
      bench.must('read')
      const snapshot = emptySnapshot({ version: 50, value: 'r', lease: { expiresInMs: 100 } })
      bench.send({ type: 'told', read: true, sentAt: bench.now, snapshot })
    }
    expect(bench.outstanding).toEqual([])
    bench.now += 200
    expect(bench.wakeDue()).toBe(true)
    bench.send({ type: 'woke' })
    expect(bench.outstanding).toMatchObject([{ type: 'claim', attempt: 2 }])
  },
)

test('when the record cannot be read again, nothing is used up and the lease is left to warn the next', () => {
  const bench = granted(true)
  bench.now += 3_100
  bench.send({ type: 'woke' })
  bench.must('read')
  bench.send({ type: 'read-failed' })
  expect(bench.outstanding.map(({ type }) => type)).toEqual([])
  expect(bench.state.activity.kind).toBe('detached')
})

test('a refusal is shared only if the record still says what was refused', () => {
  const bench = granted(false)
  bench.must('fetch')
  bench.send({ type: 'fetch-failed', attempt: 1, failure: spent, outcome: 'unspent' })
  expect(bench.take('settle')).toBeUndefined()
  bench.must('read')
  bench.send({ type: 'told', read: true, sentAt: bench.now, snapshot: emptySnapshot({ version: 50, value: 'r' }) })
  expect(bench.must('settle')).toMatchObject({ failure: spent })
})

test('an outcome that is known to be none is shared as any failure', () => {
  const bench = granted(false)
  bench.must('fetch')
  bench.send({ type: 'fetch-failed', attempt: 1, failure, outcome: 'unspent' })
  expect(bench.must('settle').backoffMs).toBeGreaterThan(0)
})

test('a secret that cannot be read is neither replaced nor reported to those who can read it', () => {
  const bench = new Bench(rotating)
  bench.waiting = true
  bench.send({ type: 'wanted' })
  const snapshot = emptySnapshot({ version: 50, lease: { expiresInMs: 12_000 } })
  const claim = { kind: 'granted', fence: 100, takeover: false, snapshot } as const
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt: bench.now, failure: undefined, claim })
  expect(bench.take('fetch')).toBeUndefined()
  expect(bench.must('settle')).toMatchObject({ backoffMs: 0 })
  expect(bench.state.activity).toMatchObject({ kind: 'cooling', failure: { code: 'RECORD_UNREADABLE' } })
})

test('a lease that came too late is given back, unless it is what tells the next that the last holder vanished', () => {
  for (const [takeover, given] of [
    [true, rotating],
    [false, rotating],
    [true, policy],
  ] as const) {
    const bench = new Bench(given)
    bench.waiting = true
    bench.send({ type: 'wanted' })
    const sentAt = bench.now
    bench.now += 12_000
    const snapshot = emptySnapshot({ version: 50, value: 'r', lease: { expiresInMs: 12_000 } })
    const claim = { kind: 'granted', fence: 100, takeover, snapshot } as const
    bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt, failure: undefined, claim })
    expect(bench.take('fetch')).toBeUndefined()
    const isKept = takeover && given === rotating
    expect(bench.outstanding).toMatchObject(isKept ? [] : [{ type: 'settle', fence: 100, backoffMs: 0 }])
  }
})
