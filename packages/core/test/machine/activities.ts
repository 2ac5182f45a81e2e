/** Ways into each activity, for what an event does in it. @module */
import { expect } from 'vitest'
import type { Effect, Happening } from '../../src/machine/happenings.ts'
import type { Policy } from '../../src/machine/policy.ts'
import type { State } from '../../src/machine/state.ts'
import { answered, Bench, emptySnapshot, failure, HELD, policy, rotating } from './support.ts'

export const LIFE = 7_200_000

/** At rest, with `a` of version 10. */
export function idle(given: Policy = policy): Bench {
  const bench = new Bench(given)
  bench.minted('a', 10)
  return bench
}

/** The same in the moment from which `a` is due. */
export function due(given: Policy = policy): Bench {
  const bench = idle(given)
  bench.now = bench.state.token?.renewAt ?? Number.NaN
  return bench
}

/** A caller waits. */
export function claiming(bench = new Bench()): Bench {
  bench.waiting = true
  bench.send({ type: 'wanted' })
  return bench
}

/** Under fence 10, or 20 where `a` is being renewed. */
export function fetching(bench = new Bench()): Bench {
  claiming(bench).claimGranted(bench.state.seen + 10)
  return bench
}

/** Nobody waits any more: `b` is served. */
export function publishing(bench = new Bench(), lifeMs = LIFE): Bench {
  fetching(bench).fetched('b', lifeMs)
  bench.waiting = false
  return bench
}

/** The outcome of the publication is unknown, and it is repeated after 750 ms. */
export function unanswered(bench = new Bench(), lifeMs = LIFE): Bench {
  publishing(bench, lifeMs)
  bench.send({ type: 'publish-failed', attempt: bench.must('publish').attempt, failure })
  return bench
}

export function subscribing(bench = new Bench()): Bench {
  bench.hints = 'untried'
  answered(claiming(bench), HELD)
  bench.must('subscribe')
  return bench
}

/** For 5 s and what is drawn on top. */
export function following(bench = new Bench()): Bench {
  answered(claiming(bench), HELD)
  return bench
}

/** For 20 s and what is drawn on top. */
export function cooling(bench = new Bench()): Bench {
  const backoff = { retryInMs: 20_000, failure: '', failures: 1 }
  answered(claiming(bench), { kind: 'backoff', snapshot: emptySnapshot({ backoff }) })
  return bench
}

export function blocked(bench = new Bench()): Bench {
  fetching(bench)
  bench.send({ type: 'fetch-failed', attempt: bench.must('fetch').attempt, failure, outcome: 'blocked' })
  bench.must('settle')
  return bench
}

/** The store has failed while nobody waited. */
export function detached(bench = new Bench()): Bench {
  claiming(bench).waiting = false
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  return bench
}

/** The last holder of the lease vanished, and the record is looked at again in 3 s. */
export function rereading(bench = due(rotating)): Bench {
  claiming(bench)
  const { version, value } = bench.state.token ?? { version: 0, value: '' }
  const snapshot = emptySnapshot({ version, value, lease: { expiresInMs: 12_000 } })
  answered(bench, { kind: 'granted', fence: bench.state.seen + 10, takeover: true, snapshot })
  return bench
}

const everyActivity = {
  idle,
  claiming,
  fetching,
  publishing,
  'publishing once more': unanswered,
  subscribing,
  following,
  cooling,
  blocked,
  detached,
  rereading,
} as const satisfies Record<string, () => Bench>

export const everyActivityBut = (...except: (keyof typeof everyActivity)[]): [name: string, enter: () => Bench][] =>
  Object.entries(everyActivity).filter(([name]) => except.every((each) => each !== name))

/** What a happening led to. */
export function outcome(bench: Bench, happening: Happening): { state: State; effects: Effect[] } {
  const effects = bench.send(happening)
  return { state: bench.state, effects }
}

export function expectNothing(bench: Bench, happening: Happening): void {
  const { state } = bench
  expect(outcome(bench, happening)).toEqual({ state, effects: [] })
}
