import { AssertionError } from 'node:assert'
import type { Claim, Snapshot } from '@tokenwell/core'
import fc from 'fast-check'
import { TokenError } from '../../src/errors.ts'
import type { Effect, Happening, Moment } from '../../src/machine/happenings.ts'
import { defaultPolicy, type Policy, type RotatingPolicy } from '../../src/machine/policy.ts'
import { initialState, type State, wakeAt } from '../../src/machine/state.ts'
import { transition } from '../../src/machine/transition.ts'
import { verdict } from '../../src/machine/verdict.ts'

export const policy: Policy = defaultPolicy
/** What is run of the usual number of random scripts: more by night, few where every mutant is to survive or fall by them. */
export const SHARE = process.env.TOKENWELL_MUTATION !== undefined ? 0.02 : process.env.TOKENWELL_NIGHTLY === undefined ? 1 : 20

/** Of a credential that is used up by its fetch. */
export const rotating: RotatingPolicy = { ...defaultPolicy, takeoverDelayMs: 3_000 }

export const failure = new TokenError('UPSTREAM_UNAVAILABLE', 'down', { retryable: true })
export const spent = new TokenError('REAUTHORIZATION_REQUIRED', 'used up', { retryable: false })
export const fatal = new TokenError('CONFIGURATION_REJECTED', 'wrong secret', { retryable: false })

/** A machine with a clock that the test moves, remembering what it was asked to do and has not been told the outcome of. */
export class Bench {
  state: State = initialState({ seen: 0, rejected: 0 })
  now = 1_000
  waiting = false
  asked = true
  hints: Moment['hints'] = 'on'
  chance = 0.5
  outstanding: Effect[] = []
  done: Effect[] = []
  readonly policy: Policy

  constructor(given: Policy = policy) {
    this.policy = given
  }

  send(happening: Happening): Effect[] {
    const { now, waiting, asked, hints, chance } = this
    const step = transition(this.state, { ...happening, now, waiting, asked, hints, chance }, this.policy)
    this.state = step.state
    for (const effect of step.effects) {
      this.done.push(effect)
      if (effect.type === 'abandon-fetch') this.take('fetch')
      else if (effect.type === 'forget-dependency') this.take('await-dependency')
      else if (effect.type !== 'notify') this.outstanding.push(effect)
    }
    return [...step.effects]
  }

  /** Removes and returns an outstanding effect of this type. */
  take<Type extends Effect['type']>(type: Type): Extract<Effect, { type: Type }> | undefined {
    const index = this.outstanding.findIndex((effect) => effect.type === type)
    if (index < 0) return undefined
    const [effect] = this.outstanding.splice(index, 1)
    return effect as Extract<Effect, { type: Type }>
  }

  /** Like `take`, when the test cannot go on without. */
  must<Type extends Effect['type']>(type: Type): Extract<Effect, { type: Type }> {
    const effect = this.take(type)
    if (effect === undefined)
      throw new AssertionError({
        message: `no ${type} is outstanding; outstanding: ${this.outstanding.map((each) => each.type).join(', ')}`,
      })
    return effect
  }

  wakeDue(): boolean {
    const at = wakeAt(this.state)
    return at !== undefined && at <= this.now
  }

  // Short ways through the common steps

  claimGranted(fence = 100, snapshot: Partial<Snapshot> = {}): void {
    const { attempt } = this.must('claim')
    const claim: Claim = {
      kind: 'granted',
      fence,
      takeover: false,
      snapshot: emptySnapshot({ lease: { expiresInMs: 8_000 }, ...snapshot }),
    }
    this.send({ type: 'claimed', attempt, sentAt: this.now, claim, failure: undefined })
  }

  fetched(value = 'a', expiresInMs = 7_200_000): void {
    const { attempt } = this.must('fetch')
    this.send({ type: 'fetched', attempt, sentAt: this.now, value, expiresInMs })
  }

  publishAccepted(): void {
    const { attempt, fence, value } = this.must('publish')
    const { token } = this.state
    const snapshot = emptySnapshot({
      version: fence,
      value,
      expiresInMs: (token?.expiresAt ?? 0) - this.now,
      renewInMs: (token?.renewAt ?? 0) - this.now,
      rejectedUpTo: this.state.rejected,
    })
    this.send({ type: 'published', attempt, sentAt: this.now, publication: { kind: 'accepted', snapshot } })
  }

  /** A caller comes, this process fetches, publishes, and is idle with a token. */
  minted(value = 'a', fence = 100): void {
    this.waiting = true
    this.send({ type: 'wanted' })
    this.claimGranted(fence)
    this.fetched(value)
    this.waiting = false
    this.publishAccepted()
  }
}

/** The store is down, and what was fetched without it is to be shared when it is back. */
export function sharesWhatItFetchedAlone(bench: Bench): void {
  bench.waiting = true
  bench.send({ type: 'wanted' })
  bench.send({ type: 'claim-failed', attempt: bench.must('claim').attempt, failure })
  bench.fetched('alone')
  bench.waiting = false
  bench.now += 31_000
  bench.send({ type: 'woke' })
  bench.claimGranted(100)
}

export function emptySnapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return { key: 'k', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0, ...fields }
}

/** Another holds the lease. */
export const HELD = { kind: 'held', snapshot: emptySnapshot({ lease: { expiresInMs: 5_000 } }) } as const

/** The claim that is under way is answered. */
export function answered(bench: Bench, claim: Claim, sentAt = bench.now): void {
  bench.send({ type: 'claimed', attempt: bench.must('claim').attempt, sentAt, claim, failure: undefined })
}

/** What becomes of a caller who comes now. */
export function ask(bench: Bench, need: { minLifeMs?: number; since?: number; until?: number } = {}): ReturnType<typeof verdict> {
  return verdict(bench.state, { minLifeMs: 0, since: bench.now, until: bench.now + 15_000, ...need }, bench.now, policy)
}

const version = fc.integer({ min: 0, max: 12 })
const duration = fc.oneof(fc.constantFrom(0, -1, 1, 1_000), fc.integer({ min: -10_000, max: 7_200_000 }))

/** Any snapshot a store could answer, honest or not. */
const snapshots: fc.Arbitrary<Snapshot> = fc.record(
  {
    key: fc.constant('k'),
    version,
    value: fc.constantFrom('a', 'b', 'c'),
    renewInMs: duration,
    expiresInMs: duration,
    rejectedUpTo: version,
    lease: fc.record({ expiresInMs: fc.integer({ min: 1, max: 8_000 }) }),
    backoff: fc.record({ retryInMs: fc.integer({ min: -1_000, max: 60_000 }), failure: fc.constant(''), failures: fc.nat(9) }),
  },
  { requiredKeys: ['key', 'version', 'renewInMs', 'expiresInMs', 'rejectedUpTo'] },
)

const claims: fc.Arbitrary<Claim> = fc.oneof(
  fc.record({ kind: fc.constantFrom('fresh' as const, 'held' as const, 'backoff' as const), snapshot: snapshots }),
  fc.record({
    kind: fc.constant('granted' as const),
    fence: fc.integer({ min: 1, max: 15 }),
    takeover: fc.boolean(),
    snapshot: snapshots.map((snapshot) => ({ ...snapshot, lease: { expiresInMs: 8_000 } })),
  }),
)

/** One move of the world around the machine. */
export type Move = (bench: Bench) => void

const failures = fc.constantFrom(failure, fatal, spent)

/** Anything that can happen next. Outcomes are given for effects that are outstanding; now and then for ones that are long gone. */
export const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    arbitrary: fc.constant<Move>((bench) => {
      bench.waiting = true
      bench.send({ type: 'wanted' })
    }),
    weight: 4,
  },
  {
    arbitrary: fc.constant<Move>((bench) => {
      bench.waiting = false
    }),
    weight: 2,
  },
  fc.constantFrom(true, false).map<Move>((asked) => (bench) => {
    bench.asked = asked
  }),
  fc.constantFrom('on', 'off', 'untried').map<Move>((hints) => (bench) => {
    bench.hints = hints as Moment['hints']
  }),
  fc.double({ min: 0, max: 0.999, noNaN: true }).map<Move>((chance) => (bench) => {
    bench.chance = chance
  }),
  {
    arbitrary: fc.oneof(fc.nat(1_000), fc.nat(20_000), fc.nat(4_000_000)).map<Move>((ms) => (bench) => {
      bench.now += ms
    }),
    weight: 3,
  },
  {
    arbitrary: fc.constant<Move>((bench) => {
      if (bench.wakeDue()) bench.send({ type: 'woke' })
    }),
    weight: 4,
  },
  {
    arbitrary: fc.tuple(claims, fc.nat(900)).map<Move>(([claim, late]) => (bench) => {
      const effect = bench.take('claim')
      if (effect) bench.send({ type: 'claimed', attempt: effect.attempt, sentAt: bench.now - late, claim, failure })
    }),
    weight: 6,
  },
  fc.constant<Move>((bench) => {
    const effect = bench.take('claim')
    if (effect) bench.send({ type: 'claim-failed', attempt: effect.attempt, failure })
  }),
  {
    arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), duration).map<Move>(([value, expiresInMs]) => (bench) => {
      const effect = bench.take('fetch')
      if (effect)
        bench.send({ type: 'fetched', attempt: effect.attempt, sentAt: bench.now - 50, value, expiresInMs: Math.max(1, expiresInMs) })
    }),
    weight: 5,
  },
  {
    arbitrary: fc.tuple(failures, fc.constantFrom('failed', 'unspent', 'blocked')).map<Move>(([why, outcome]) => (bench) => {
      const effect = bench.take('fetch')
      if (effect) bench.send({ type: 'fetch-failed', attempt: effect.attempt, failure: why, outcome })
    }),
    weight: 3,
  },
  {
    arbitrary: fc.tuple(fc.constantFrom('accepted' as const, 'superseded' as const), snapshots).map<Move>(([kind, snapshot]) => (bench) => {
      const effect = bench.take('publish')
      if (effect) bench.send({ type: 'published', attempt: effect.attempt, sentAt: bench.now, publication: { kind, snapshot } })
    }),
    weight: 3,
  },
  fc.constant<Move>((bench) => {
    const effect = bench.take('publish')
    if (effect) bench.send({ type: 'publish-failed', attempt: effect.attempt, failure })
  }),
  {
    arbitrary: snapshots.map<Move>((snapshot) => (bench) => {
      if (bench.take('read')) bench.send({ type: 'told', sentAt: bench.now, snapshot, read: true })
    }),
    weight: 3,
  },
  fc.constant<Move>((bench) => {
    if (bench.take('read')) bench.send({ type: 'read-failed' })
  }),
  snapshots.map<Move>((snapshot) => (bench) => {
    if (bench.take('settle')) bench.send({ type: 'told', sentAt: bench.now, snapshot, read: false })
  }),
  fc.constant<Move>((bench) => {
    if (bench.take('subscribe')) bench.send({ type: 'subscribed' })
  }),
  fc.constant<Move>((bench) => {
    if (bench.take('await-dependency')) bench.send({ type: 'unblocked' })
  }),
  fc.constant<Move>((bench) => {
    if (bench.take('await-dependency')) bench.send({ type: 'block-failed', failure: fatal })
  }),
  {
    arbitrary: fc.constant<Move>((bench) => {
      const { token } = bench.state
      if (token) bench.send({ type: 'rejected', version: token.version, value: token.value })
    }),
    weight: 2,
  },
  fc.tuple(version, fc.constantFrom('a', 'b', 'c')).map<Move>(([each, value]) => (bench) => {
    bench.send({ type: 'rejected', version: each, value })
  }),
  {
    arbitrary: snapshots.map<Move>((snapshot) => (bench) => {
      const effect = bench.take('invalidate')
      if (effect) bench.send({ type: 'invalidated', version: effect.version, sentAt: bench.now, snapshot })
    }),
    weight: 3,
  },
  fc.constant<Move>((bench) => {
    const effect = bench.take('invalidate')
    if (effect) bench.send({ type: 'invalidate-failed', version: effect.version })
  }),
  fc.option(version, { nil: undefined }).map<Move>((each) => (bench) => {
    bench.send({ type: 'changed', ...(each === undefined ? {} : { version: each }) })
  }),
  fc.constant<Move>((bench) => {
    bench.send({ type: 'doubted' })
  }),
  // Outcomes of attempts that are not the current one.
  fc.tuple(fc.nat(3), claims).map<Move>(([attempt, claim]) => (bench) => {
    if (attempt !== bench.state.attempts) bench.send({ type: 'claimed', attempt, sentAt: bench.now, claim, failure: undefined })
  }),
  fc.nat(3).map<Move>((attempt) => (bench) => {
    if (attempt !== bench.state.attempts)
      bench.send({ type: 'fetched', attempt, sentAt: bench.now, value: 'stale', expiresInMs: 7_200_000 })
  }),
)
