import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Policy } from '../../src/machine/policy.ts'
import { wakeAt } from '../../src/machine/state.ts'
import { verdict } from '../../src/machine/verdict.ts'
import { Bench, failure, moves, policy, rotating, SHARE } from './support.ts'

const now = (bench: Bench) =>
  verdict(bench.state, { minLifeMs: 0, since: bench.now - 60_000, until: bench.now + 15_000 }, bench.now, bench.policy)

/** Runs random moves and calls `check` after each. */
function always(given: Policy, check: (bench: Bench, before: Bench['state']) => void, runs = 3_000): void {
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 80, size: 'max' }), (script) => {
      const bench = new Bench(given)
      for (const move of script) {
        const before = bench.state
        move(bench)
        check(bench, before)
      }
    }),
    { numRuns: runs * SHARE },
  )
}

describe.each([
  ['a credential that can be fetched again', policy],
  ['a credential that is used up by its fetch', rotating],
])('%s', (_, given) => {
  test('a version is never served after a newer one, nor once known rejected, ended or doubted', () => {
    fc.assert(
      fc.property(fc.array(moves, { maxLength: 80, size: 'max' }), (script) => {
        const bench = new Bench(given)
        let newest = 0
        for (const move of script) {
          move(bench)
          const answer = now(bench)
          if (answer.kind !== 'serve') continue
          const { token } = answer
          expect(token.version).toBeGreaterThanOrEqual(newest)
          expect(token.version).toBeGreaterThan(bench.state.rejected)
          expect(token.expiresAt).toBeGreaterThan(bench.now)
          expect(token.trusted).toBe(true)
          newest = token.version
        }
      }),
      { numRuns: 5_000 * SHARE },
    )
  })

  test('what a process has seen and what it knows rejected never decrease', () => {
    always(given, (bench, before) => {
      expect(bench.state.seen).toBeGreaterThanOrEqual(before.seen)
      expect(bench.state.rejected).toBeGreaterThanOrEqual(before.rejected)
      expect(bench.state.token?.version ?? 0).toBeLessThanOrEqual(bench.state.seen)
    })
  })

  test('at most one fetch, one claim, one publication and one read are under way', () => {
    always(given, (bench) => {
      for (const type of ['fetch', 'claim', 'publish', 'read', 'invalidate', 'await-dependency', 'subscribe']) {
        const many = bench.outstanding.filter((effect) => effect.type === type).length
        expect(many, type).toBeLessThanOrEqual(type === 'publish' ? 2 : 1)
      }
    })
  })

  test('while a caller waits, something is under way that will end', () => {
    always(given, (bench) => {
      if (!bench.waiting || now(bench).kind !== 'wait') return
      const underWay = bench.outstanding.some((effect) => effect.type !== 'settle')
      expect(underWay || wakeAt(bench.state) !== undefined, JSON.stringify(bench.state.activity)).toBe(true)
    })
  })

  test('waking up when it asked to be woken never leaves it asking for the same moment', () => {
    always(given, (bench) => {
      for (let turn = 0; bench.wakeDue(); turn += 1) {
        expect(turn, JSON.stringify(bench.state.activity)).toBeLessThan(3)
        bench.send({ type: 'woke' })
      }
    })
  })

  test('once closed it asks for nothing, and whatever was under way closes it', () => {
    fc.assert(
      fc.property(
        fc.array(moves, { maxLength: 60, size: 'max' }),
        fc.boolean(),
        fc.array(moves, { maxLength: 60, size: 'max' }),
        (script, finish, aftermath) => {
          const bench = new Bench(given)
          for (const move of script) move(bench)
          bench.send({ type: 'close', finish })
          if (!finish) bench.send({ type: 'close', finish: false })
          for (const move of aftermath) {
            const closed = bench.state.activity.kind === 'closed'
            const asked = bench.done.length
            move(bench)
            if (closed) expect(bench.done.length).toBe(asked)
          }
          // Whatever is still under way is answered with a failure.
          const { attempts } = bench.state
          const { activity } = bench.state
          if (activity.kind === 'claiming') bench.send({ type: 'claim-failed', attempt: attempts, failure: failure })
          if (bench.state.activity.kind === 'fetching') {
            bench.send({ type: 'fetch-failed', attempt: bench.state.activity.attempt, failure: failure, outcome: 'failed' })
          }
          if (bench.state.activity.kind === 'publishing') {
            bench.send({ type: 'publish-failed', attempt: bench.state.activity.attempt, failure: failure })
            // What was used up is given up only when it has to be.
            if (given === rotating) bench.send({ type: 'close', finish: false })
          }
          expect(bench.state.activity.kind).toBe('closed')
          expect(wakeAt(bench.state)).toBeUndefined()
          // It might never come.
          expect(bench.outstanding.map(({ type }) => type)).not.toContain('await-dependency')
        },
      ),
      { numRuns: 3_000 * SHARE },
    )
  })

  test('the random moves reach every activity and every effect', () => {
    const seen = new Set<string>()
    const look = (bench: Bench) => {
      seen.add(bench.state.activity.kind)
      for (const effect of bench.done) seen.add(effect.type === 'notify' ? effect.notice.type : effect.type)
    }
    const wanted = [
      ...(given === rotating ? ['rereading', 'outcome-unknown'] : []),
      ...['idle', 'claiming', 'fetching', 'publishing', 'subscribing', 'following', 'cooling', 'blocked', 'detached'],
      ...['claim', 'fetch', 'publish', 'settle', 'read', 'invalidate', 'subscribe', 'await-dependency', 'forget-dependency'],
      ...['renewed', 'adopted', 'superseded', 'rejected', 'vouched', 'granted', 'held', 'blocked', 'detached', 'backoff', 'doubted'],
    ]
    const missing = () => wanted.filter((each) => !seen.has(each))
    // Some take several rare moves in a row.
    for (let batch = 0; batch < 20 / SHARE && missing().length > 0; batch += 1) always(given, look, 1_000)
    expect(missing()).toEqual([])
  })
})

// One that rotates lets some run out on purpose: see rotation.test.ts.
test('every lease that is granted is fetched under, published under or settled', () => {
  always(
    policy,
    (bench) => {
      const granted = new Set<number>()
      const ended = new Set<number>()
      for (const effect of bench.done) {
        if (effect.type === 'notify' && effect.notice.type === 'granted') granted.add(effect.notice.fence)
        if (effect.type === 'settle' || effect.type === 'publish') ended.add(effect.fence)
      }
      const { activity } = bench.state
      if (activity.kind === 'fetching' && activity.grant !== undefined) ended.add(activity.grant.fence)
      for (const fence of granted) expect(ended.has(fence), `fence ${fence}`).toBe(true)
    },
    1_000,
  )
})
