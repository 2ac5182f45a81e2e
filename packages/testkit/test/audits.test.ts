import { type Claim, type Snapshot, type Token, TokenError, type TokenHandle } from '@tokenwell/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { CallerAudit } from '../src/simulation/caller-audit.ts'
import { type Lease, LeaseLog } from '../src/simulation/lease-log.ts'
import { type Drift, LifeLog } from '../src/simulation/life-log.ts'
import { OperationAudit } from '../src/simulation/operation-audit.ts'
import { drawsOf } from '../src/simulation/random.ts'
import { RequestAudit } from '../src/simulation/request-audit.ts'
import type { GivenOut, PlayedCredential } from '../src/simulation/scenario.ts'
import { EPOCH_MS, SimulatedProcess } from '../src/simulation/simulated-process.ts'
import { Timeline } from '../src/simulation/timeline.ts'
import { TokenLedger } from '../src/simulation/token-ledger.ts'

let timeline: Timeline
let processes: SimulatedProcess[]
let violations: string[]
const violate = (what: string) => void violations.push(what)

beforeEach(() => {
  timeline = new Timeline()
  processes = Array.from({ length: 5 }, (_, index) => new SimulatedProcess(`n${index}`, timeline, drawsOf(1, `n${index}`)))
  violations = []
})

const processOf = (index: number) => processes[index] as SimulatedProcess
const pass = (ms: number) => timeline.runUntil(timeline.now + ms)
const record: Snapshot = { key: 'tokenwell/key', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 }
const signal = () => new AbortController().signal

describe('requests', () => {
  let leases: LeaseLog
  let audit: RequestAudit
  let lease: Lease
  let isOrderly: boolean

  beforeEach(() => {
    leases = new LeaseLog(() => timeline.now)
    isOrderly = false
    audit = new RequestAudit({ now: () => timeline.now, violate, leases, process: processOf, isOrderly: () => isOrderly })
    lease = leases.grant('tokenwell/key', 'n0.a.1', 7, 8_000)
    leases.goesBy(0, 'tokenwell/key', 7)
  })

  const request = (answerMs: number, more: { patienceMs?: number; lastCallMs?: number; signal?: AbortSignal } = {}) =>
    audit.send({ key: 'key', node: 0, ...more }, () => new Promise<void>((resolve) => void timeline.at(timeline.now + answerMs, resolve)))

  test('one that leaves after the end of its lease is found out, unless the store has lost the lease or its sender has slept', async () => {
    await pass(8_100)
    void request(1)
    expect(violations).toEqual(['n0 asked for key 100 ms after its lease had ended'])
    lease.isInDoubt = true
    void request(1)
    lease.isInDoubt = false
    processOf(0).sleep(10)
    void request(1)
    expect(violations).toHaveLength(1)
  })

  test('one that is still out when its lease ends is found out, unless its sender stood still or takes a last call', async () => {
    await pass(7_000)
    void request(1_100)
    await pass(1_500)
    expect(violations).toEqual(['n0 still waited for key when its lease had ended'])
  })

  test('one that its sender has given up in time is not', async () => {
    const controller = new AbortController()
    void request(20_000, { signal: controller.signal, patienceMs: 7_000 })
    await pass(7_000)
    controller.abort()
    await pass(20_000)
    expect(violations).toEqual([])
  })

  test('one of a sender that stood still, or that takes a last call, is not', async () => {
    await pass(7_000)
    void request(1_100, { lastCallMs: 1_000 })
    void request(1_200)
    processOf(0).freeze(100)
    await pass(2_000)
    expect(violations).toEqual([])
  })

  test('one that is waited for too long is found out, with or without a lease', async () => {
    leases.goesBy(0, 'tokenwell/key', undefined)
    void request(7_100, { patienceMs: 7_000 })
    await pass(8_000)
    expect(violations).toEqual(['n0 waited 7100 ms for key, its bound being 7000 ms'])
  })

  test('ten in a minute are too many, unless something else has to do with it', async () => {
    for (let count = 0; count < 9; count += 1) void request(1)
    audit.blocked('key')
    void request(1)
    expect(violations).toEqual([])
    void request(1)
    expect(violations).toEqual(['I10: key was fetched 11 times in a minute; at most 10'])
  })

  test('a success after which five more may follow is one that was due', () => {
    audit.published('tokenwell/key', true)
    audit.published('tokenwell/key', false)
    for (let count = 0; count < 14; count += 1) void request(1)
    expect(violations).toEqual([])
    void request(1)
    expect(violations).toEqual(['I10: key was fetched 15 times in a minute; at most 14'])
  })

  test('two at once are found out where nothing went wrong, also if a third came and went between them', async () => {
    void request(100)
    void request(10)
    await pass(50)
    expect(violations).toEqual([])
    isOrderly = true
    void request(10)
    expect(violations).toEqual(['I1: key was asked for twice at once, with nothing wrong'])
    await pass(100)
    void request(10)
    expect(violations).toHaveLength(1)
  })

  test('one that its sender has given up is not under way any more', () => {
    isOrderly = true
    const controller = new AbortController()
    void request(20_000, { signal: controller.signal })
    controller.abort()
    void request(10)
    expect(violations).toEqual([])
  })
})

describe('operations', () => {
  let audit: OperationAudit
  let lease: Lease

  beforeEach(() => {
    lease = { key: 'tokenwell/key', attempt: 'n0.a.1', fence: 7, grantedAt: 0, endsAt: 8_000, isInDoubt: false }
    audit = new OperationAudit({ timeline, violate, rotates: () => false, nodes: 5 })
  })

  const claim = (attempt: string, answer: Claim | undefined, index = 0) =>
    audit.claim(
      processOf(index),
      'tokenwell/key',
      attempt,
      { signal: signal() },
      () => (answer === undefined ? new Promise(() => {}) : Promise.resolve(answer)),
      () => lease,
    )
  const granted: Claim = { kind: 'granted', fence: 7, takeover: false, snapshot: record }
  const fresh: Claim = { kind: 'fresh', snapshot: record }
  const life = (expiresInMs: number) => ({ value: 'value', renewInMs: 1, expiresInMs })
  const publish = (attempt: string, expiresInMs: number) =>
    audit.publish(processOf(0), 'tokenwell/key', attempt, life(expiresInMs), { signal: signal() }, async () => ({
      kind: 'accepted',
      snapshot: record,
    }))
  const settle = (attempt: string) => audit.settle(processOf(0), 'tokenwell/key', attempt, async () => record)

  test('a claim under another attempt while the last is not answered is found out', async () => {
    void claim('n0.a.1', undefined)
    void claim('n0.a.1', undefined)
    expect(violations).toEqual([])
    void claim('n0.a.2', undefined)
    expect(violations).toEqual(['n0 claims tokenwell/key anew, and may have been granted it already'])
  })

  test('a lease that is neither published under nor given back is found out, and no other', async () => {
    await claim('n0.a.1', granted)
    await settle('n0.a.1')
    await claim('n0.a.2', granted)
    await publish('n0.a.2', 60_000)
    await pass(10_000)
    expect(violations).toEqual([])
    lease.endsAt = timeline.now + 8_000
    await claim('n0.a.3', granted)
    await pass(10_000)
    expect(violations).toEqual(['n0 neither published tokenwell/key under its lease nor gave it back'])
  })

  test('a lease whose process has died, stood still, or may have lost it, is not', async () => {
    await claim('n0.a.1', granted)
    processOf(0).freeze(10)
    await claim('n1.a.1', granted, 1)
    processOf(1).kill()
    await pass(10_000)
    expect(violations).toEqual([])
  })

  test('a store that is called down after one message is found out, after two it is not', () => {
    void claim('n0.a.1', undefined)
    audit.detached(processOf(0), 'tokenwell/key')
    expect(violations).toEqual(['n0 takes the store for down after one message about tokenwell/key'])
    void claim('n0.a.1', undefined)
    audit.detached(processOf(0), 'tokenwell/key')
    expect(violations).toHaveLength(1)
  })

  test('what is about to end is not to be shared', async () => {
    await claim('n0.a.1', granted)
    await publish('n0.a.1', 7_499)
    expect(violations).toEqual(['n0 shares tokenwell/key with 7499 ms to live'])
  })

  test('a process that claims without a pause is found out', async () => {
    for (let count = 1; count <= 91; count += 1) await claim(`n0.a.${count}`, { kind: 'held', snapshot: record })
    expect(violations).toEqual(['n0 claims tokenwell/key 91 times in a minute'])
  })

  test('four processes that come for the next token at once are found out, unless they may have been told', async () => {
    const all = async (number: number) => {
      for (const index of [0, 1, 2, 3]) await claim(`n${index}.a.${number}`, fresh, index)
    }
    await all(1)
    await pass(1_000)
    audit.stirred('tokenwell/key')
    await all(2)
    expect(violations).toEqual([])
    await pass(1_000)
    await all(3)
    expect(violations).toEqual(['4 processes come for the next tokenwell/key within 1 ms'])
  })
})

describe('callers', () => {
  let audit: CallerAudit
  let given: GivenOut
  let publishedAt: number | undefined
  let isCalm: boolean
  let atHand: Token | undefined
  let drift: Drift | undefined
  let sleptAt: number
  let credential: PlayedCredential

  beforeEach(() => {
    given = { endsAt: 3_600_000, at: 0, times: 1 }
    publishedAt = undefined
    isCalm = false
    atHand = undefined
    drift = undefined
    sleptAt = Number.NEGATIVE_INFINITY
    const handle = { key: 'key', peek: () => atHand } as unknown as TokenHandle
    credential = {
      name: 'key',
      handle,
      worth: (value) => (value === 'unknown' ? 'unknown' : timeline.now < given.endsAt ? 'valid' : 'ended'),
      givenOut: () => given,
    }
    const circumstances = {
      now: () => timeline.now,
      drift: () => drift,
      sleptAt: () => sleptAt,
      isCalm: () => isCalm,
      isRejected: () => false,
      isQuiet: () => false,
      publishedSince: () => publishedAt,
    }
    audit = new CallerAudit(processOf(0), circumstances, violate)
  })

  const token = (version: number, value = 'value', livesMs = 3_600_000): Token => ({ value, version, expiresAt: EPOCH_MS + livesMs })
  const comes = (boundMs = 15_000) => audit.comes(credential, boundMs, 0)
  const event = { key: 'key', time: 0 } as const

  test('who is given an older token, a rejected one, or one that nobody gave out', () => {
    audit.given(comes(), token(5))
    audit.given(comes(), token(4))
    audit.noted({ ...event, type: 'rejected', version: 5 })
    audit.given(comes(), token(5))
    audit.given(comes(), token(6, 'unknown'))
    expect(violations).toEqual([
      'n0: I5: key 4 was served after 5',
      'n0: I5: key 5 was served and known to be rejected',
      'n0: key 6 was served, which nobody gave out',
    ])
  })

  test('who comes after the store has said that a token is rejected, and is given it, whatever the process itself says', () => {
    const before = comes()
    audit.told({ ...record, rejectedUpTo: 5 })
    audit.given(before, token(5))
    expect(violations).toEqual([])
    audit.given(comes(), token(5))
    expect(violations).toEqual(['n0: I5: key 5 was served and known to be rejected'])
  })

  test('a process that doubts its clocks, to which nothing has happened since the last doubt', async () => {
    audit.noted({ ...event, type: 'doubted' })
    expect(violations).toEqual(['n0: it doubts its clocks about key, to which nothing has happened'])
    await pass(1_000)
    processOf(0).stepWall(60_000)
    audit.noted({ ...event, type: 'doubted' })
    expect(violations).toHaveLength(1)
    await pass(1_000)
    audit.noted({ ...event, type: 'doubted' })
    expect(violations).toHaveLength(2)
  })

  test('who is answered late, or twice', async () => {
    const caller = comes(1_000)
    await pass(1_100)
    audit.failed(caller, new TokenError('TIMEOUT', 'late', { retryable: true }))
    audit.given(caller, token(1))
    expect(violations[0]).toBe('n0: I4: a caller of key was answered 1100 ms after it came, its bound being 1000 ms')
    expect(violations[1]).toBe('n0: I8: a caller of key was answered twice')
  })

  test('who waits with a good token at hand: not at all with much life left, a second with little', async () => {
    atHand = token(1)
    const caller = comes()
    await pass(100)
    audit.given(caller, token(1))
    expect(violations).toEqual(['n0: a caller of key waited 100 ms with 1 at hand'])
    atHand = token(1, 'value', 40_000)
    const patient = comes()
    await pass(1_000)
    audit.given(patient, token(1))
    expect(violations).toHaveLength(1)
    const kept = comes()
    await pass(1_100)
    audit.given(kept, token(1))
    expect(violations[1]).toBe('n0: a caller of key waited 1100 ms with 1 at hand')
  })

  test('who hears late of what was published, with nothing wrong', async () => {
    isCalm = true
    const caller = comes()
    publishedAt = 100
    await pass(200)
    audit.given(caller, token(1))
    expect(violations).toEqual(['n0: a caller of key heard 100 ms late of what had been published'])
  })

  test('who is turned away although the process has just fetched what they wait for', async () => {
    const caller = comes(1_000)
    audit.noted({ ...event, type: 'renewed', version: 1, lifeMs: 3_600_000 })
    await pass(500)
    audit.failed(caller, new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true }))
    expect(violations).toEqual(['n0: a caller of key was turned away, although the process has just fetched it'])
  })

  test('who is given what was reported, unless it was given out again', async () => {
    audit.reports(credential, token(1), Promise.resolve())
    await pass(1)
    audit.given(comes(), token(2))
    expect(violations).toEqual(['n0: I5: key 2 was served although its value was reported'])
    given = { ...given, at: 50, times: 2 }
    audit.given(comes(), token(3))
    expect(violations).toHaveLength(1)
  })

  test('who believes that a token lives longer than it does', () => {
    audit.given(comes(), token(1, 'value', 3_600_100))
    expect(violations).toEqual(['n0: key 1 is believed to live 100 ms longer than it does'])
    // Whoever fetched it may have slept a little before it was shared.
    sleptAt = 0
    audit.given(comes(), token(2, 'value', 3_605_000))
    expect(violations).toHaveLength(1)
  })

  test('a life that a store whose clock was set gave to a token, or took from it, is no more than that', async () => {
    drift = { since: 0, laterMs: 60_000, earlierMs: 0 }
    audit.given(comes(), token(1, 'value', 3_660_000))
    expect(violations).toEqual([])
    audit.given(comes(), token(2, 'value', 3_660_100))
    expect(violations).toEqual(['n0: key 2 is believed to live 60100 ms longer than it does'])
    await pass(3_659_000)
    audit.given(comes(), token(2, 'value', 3_660_000))
    expect(violations).toHaveLength(1)
    await pass(2_000)
    audit.given(comes(), token(2, 'value', 3_660_000))
    expect(violations[1]).toBe('n0: I5: key 2 was served after its end')
  })

  test('who waits with a token at hand of which the store has taken a part, but not all', async () => {
    const waits = async (earlierMs: number) => {
      drift = { since: 1, laterMs: 0, earlierMs }
      atHand = token(1, 'value', timeline.now + 10 * 60_000)
      const caller = comes()
      await pass(100)
      audit.given(caller, atHand)
    }
    await pass(10)
    await waits(10 * 60_000)
    await waits(Number.POSITIVE_INFINITY)
    expect(violations).toEqual([])
    await waits(5 * 60_000)
    expect(violations).toEqual(['n0: a caller of key waited 100 ms with 1 at hand'])
  })

  test('a process that goes back to an older token, or blames a store that keeps the contract', () => {
    audit.noted({ ...event, type: 'adopted', version: 5, lifeMs: 1 })
    audit.noted({ ...event, type: 'renewed', version: 4, lifeMs: 1 })
    const failure = new TokenError('STORE_INCOMPATIBLE', 'no', { retryable: false })
    audit.noted({ ...event, type: 'detached', failure })
    expect(violations).toEqual(['n0: I5: it went from 5 of key back to 4', 'n0: a store that keeps the contract is called incompatible'])
  })

  test('waits after failures that are not drawn', () => {
    const failure = new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true })
    for (const retryInMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000]) {
      audit.noted({ ...event, type: 'backoff', retryInMs, failure, shared: false })
    }
    expect(violations).toEqual(['n0: waits after failures are not drawn'])
  })
})

describe('lives', () => {
  const MINUTE = 60_000

  test('are longer by what the clock of the store was set back since the grant, and shorter by what it was set forward', async () => {
    const lives = new LifeLog(() => timeline.now)
    await pass(10 * MINUTE)
    lives.stepped(3 * MINUTE)
    await pass(MINUTE)
    lives.published('key', 1, timeline.now - 100, false)
    expect(lives.drift('key', 1)).toEqual({ since: 11 * MINUTE - 100, laterMs: 0, earlierMs: 0 })
    expect(lives.isMoved('key')).toBe(false)
    await pass(5 * MINUTE)
    lives.stepped(MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: 0 })
    lives.stepped(4 * MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: MINUTE })
    expect(lives.isMoved('key')).toBe(true)
    expect(lives.drift('key', 2)).toBeUndefined()
  })

  test('are over when the clock of the store stands before the grant', async () => {
    const lives = new LifeLog(() => timeline.now)
    lives.published('key', 1, 0, false)
    await pass(MINUTE)
    lives.stepped(-2 * MINUTE)
    expect(lives.drift('key', 1)).toMatchObject({ laterMs: 2 * MINUTE, earlierMs: Number.POSITIVE_INFINITY })
  })

  test('count from the publication while fences run ahead of the clock of the store', async () => {
    const lives = new LifeLog(() => timeline.now)
    await pass(MINUTE)
    lives.published('key', 1, 0, true)
    expect(lives.drift('key', 1)).toEqual({ since: 0, laterMs: MINUTE, earlierMs: 0 })
  })
})

test('the ledger of an upstream finds out who shares what was rejected before they could fetch it', async () => {
  const ledger = new TokenLedger(() => timeline.now, { name: 'key', lifeMs: 3_600_000, sameAboveMs: 60_000 })
  const { published, rejected, lost } = ledger.watcher('key', violate)
  const { value } = ledger.mint(false)
  const share = (grantedAt: number, quietMs?: number) =>
    published?.('key', { value, renewInMs: 1, expiresInMs: 2, ...(quietMs !== undefined && { quietMs }) }, grantedAt)
  await pass(100)
  rejected?.('key', value)
  share(50)
  share(150, 60_000)
  published?.('another', { value, renewInMs: 1, expiresInMs: 2 }, 150)
  expect(violations).toEqual([])
  share(150)
  expect(violations).toEqual(['key was published although it was rejected'])
  lost?.()
  share(150)
  rejected?.('key', value)
  await pass(100)
  ledger.mint(false)
  share(250)
  expect(violations).toHaveLength(1)
})
