import { type Token, TokenError, type TokenErrorCode, type TokenHandle } from '@tokenwell/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { CallerAudit } from '../src/simulation/caller-audit.ts'
import type { Drift } from '../src/simulation/life-log.ts'
import type { GivenOut, PlayedCredential } from '../src/simulation/scenario.ts'
import { EPOCH_MS } from '../src/simulation/simulated-process.ts'
import { Audited, record } from './support/audited.ts'

let world: Audited

beforeEach(() => {
  world = new Audited()
})

describe('callers', () => {
  let audit: CallerAudit
  let given: GivenOut
  let publishedAt: number | undefined
  let isForgotten: boolean
  let isWell: boolean
  let isWellBesidesStore: boolean
  let heardMs: number
  let atHand: Token | undefined
  let drift: Drift | undefined
  let sleptAt: number
  let credential: PlayedCredential

  beforeEach(() => {
    given = { endsAt: 3_600_000, at: 0, times: 1 }
    publishedAt = undefined
    isForgotten = false
    isWell = false
    isWellBesidesStore = false
    heardMs = 25
    atHand = undefined
    drift = undefined
    sleptAt = Number.NEGATIVE_INFINITY
    const handle = { key: 'key', peek: () => atHand } as unknown as TokenHandle
    credential = {
      name: 'key',
      handle,
      worth: (value) => (value === 'unknown' ? 'unknown' : world.timeline.now < given.endsAt ? 'valid' : 'ended'),
      givenOut: () => given,
    }
    const circumstances = {
      now: () => world.timeline.now,
      drift: () => drift,
      sleptAt: () => sleptAt,
      isWell: () => isWell,
      isWellBesidesStore: () => isWellBesidesStore,
      get heardMs() {
        return heardMs
      },
      heardOfLifeMs: 25,
      isRejected: () => false,
      isQuiet: () => false,
      isForgotten: () => isForgotten,
      publishedSince: () => publishedAt,
    }
    audit = new CallerAudit(world.processOf(0), circumstances, world.violate)
  })

  const token = (version: number, value = 'value', livesMs = 3_600_000): Token => ({ value, version, expiresAt: EPOCH_MS + livesMs })
  const comes = (patienceMs = 15_000, minLifeMs = 0) => audit.comes(credential, patienceMs, minLifeMs)
  const event = { key: 'key', time: 0 } as const

  test('who is given an older token, a rejected one, or one that nobody gave out', () => {
    audit.given(comes(), token(5))
    audit.given(comes(), token(4))
    audit.noted({ ...event, type: 'rejected', version: 5 })
    audit.given(comes(), token(5))
    audit.given(comes(), token(6, 'unknown'))
    expect(world.violations).toEqual([
      'n0: I5: key 4 was served after 5',
      'n0: I5: key 5 was served and known to be rejected',
      'n0: key 6 was served, which nobody gave out',
    ])
  })

  test('who is given a token after the store has said that it is rejected, whatever the process itself says', async () => {
    const [before, waiting] = [comes(), comes()]
    audit.told({ ...record, rejectedUpTo: 5 })
    audit.given(before, token(5))
    expect(world.violations).toEqual([])
    await world.pass(1)
    audit.given(waiting, token(5))
    expect(world.violations).toEqual(['n0: I5: key 5 was served and known to be rejected'])
  })

  test('a process that doubts its clocks, to which nothing has happened since the last doubt', async () => {
    audit.noted({ ...event, type: 'doubted' })
    expect(world.violations).toEqual(['n0: it doubts its clocks about key, to which nothing has happened'])
    await world.pass(1_000)
    world.processOf(0).stepWall(60_000)
    audit.noted({ ...event, type: 'doubted' })
    expect(world.violations).toHaveLength(1)
    await world.pass(1_000)
    audit.noted({ ...event, type: 'doubted' })
    expect(world.violations).toHaveLength(2)
  })

  test('who is given less life than it has asked for', () => {
    audit.given(comes(15_000, 60_000), token(1, 'value', 60_000))
    audit.given(comes(15_000, 60_000), token(1, 'value', 50_000))
    expect(world.violations).toEqual(['n0: a caller of key who asked for 60000 ms was given a token that lives for 50000 ms'])
    const disturbed = comes(15_000, 60_000)
    world.processOf(0).stepWall(60_000)
    audit.disturb()
    audit.given(disturbed, token(1, 'value', 100_000))
    expect(world.violations).toHaveLength(1)
  })

  test('who is turned away although nothing but the store is wrong, and can do without', () => {
    const gone = new TokenError('STORE_UNAVAILABLE', 'gone', { retryable: true })
    audit.failed(comes(), gone)
    isWellBesidesStore = true
    audit.failed(comes(1_000), gone)
    audit.failed(comes(15_000, 60_000), gone)
    audit.failed(comes(), new TokenError('TIMEOUT', 'late', { retryable: true }))
    credential = { ...credential, rotates: true }
    audit.failed(comes(), gone)
    credential = { ...credential, rotates: false, isOut: () => false }
    audit.failed(comes(), gone)
    expect(world.violations.filter((what) => what.includes('the store'))).toEqual([])
    const { isOut: _, ...free } = credential
    credential = free
    audit.failed(comes(), gone)
    expect(world.violations.at(-1)).toBe('n0: a caller of key was turned away with nothing wrong but the store')
  })

  test('whose call was refused, and is not made again with another token that is there', () => {
    audit.refused(comes(), 'value')
    atHand = token(2, 'value')
    audit.refused(comes(), 'value')
    expect(world.violations).toEqual([])
    atHand = token(3, 'another')
    const disturbed = comes()
    audit.refused(comes(), 'value')
    expect(world.violations).toEqual(['n0: use() of key did not call again with 3'])
    audit.disturb()
    audit.refused(disturbed, 'value')
    expect(world.violations).toHaveLength(1)
    expect(audit.waiting).toBe(0)
  })

  test('who is answered late, or twice', async () => {
    const caller = comes(1_000)
    await world.pass(1_100)
    audit.failed(caller, new TokenError('TIMEOUT', 'late', { retryable: true }))
    audit.given(caller, token(1))
    expect(world.violations[0]).toBe('n0: I4: a caller of key was answered 1100 ms after it came, its bound being 1000 ms')
    expect(world.violations[1]).toBe('n0: I8: a caller of key was answered twice')
  })

  test('who waits for ever, also if the process stood still meanwhile', async () => {
    comes(1_000)
    await world.pass(500)
    world.processOf(0).freeze(2_000)
    await world.pass(2_900)
    audit.checkOpen()
    expect(world.violations).toEqual([])
    await world.pass(200)
    audit.checkOpen()
    expect(world.violations).toEqual(['n0: I4: a caller of key has not been answered 1100 ms after it came, its bound being 1000 ms'])
  })

  test('who is turned away with a good token at hand, at once or later, and not with what ends or was rejected', () => {
    const turnAway = (held: Token | undefined) => {
      atHand = held
      audit.failed(comes(), new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true }))
    }
    turnAway(undefined)
    turnAway(token(1, 'value', 10_000))
    expect(world.violations).toEqual([])
    turnAway(token(1))
    expect(world.violations).toEqual(['n0: a caller of key was turned away with 1 at hand: UPSTREAM_UNAVAILABLE'])
    audit.noted({ ...event, type: 'rejected', version: 1 })
    turnAway(token(1))
    expect(world.violations).toHaveLength(1)
  })

  test('who is told too early that a bound has passed, unless what is waited for did not come in time', async () => {
    const late = new TokenError('TIMEOUT', 'late', { retryable: true })
    const caller = comes(1_000)
    await world.pass(500)
    audit.failed(caller, late)
    expect(world.violations).toEqual(['n0: a caller of key was told after 500 ms that its bound of 1000 ms had passed'])
    audit.noted({ ...event, type: 'blocked', failure: late })
    audit.failed(comes(1_000), late)
    expect(world.violations).toHaveLength(1)
  })

  test('who is turned away with nothing wrong, but for want of what somebody has to do, of patience, or of more life than is always to be had', () => {
    isWell = true
    const tell = (code: TokenErrorCode, patienceMs: number, minLifeMs = 0) =>
      audit.failed(comes(patienceMs, minLifeMs), new TokenError(code, 'no', { retryable: true }))
    credential = { ...credential, isOut: (code) => code === 'TICKET_UNAVAILABLE', alwaysMs: 30_000 }
    tell('TICKET_UNAVAILABLE', 15_000)
    tell('TIMEOUT', 0)
    tell('LIFE_TOO_SHORT', 15_000, 40_000)
    expect(world.violations).toEqual([])
    tell('UPSTREAM_UNAVAILABLE', 15_000)
    tell('REAUTHORIZATION_REQUIRED', 15_000)
    tell('LIFE_TOO_SHORT', 15_000, 30_000)
    expect(world.violations).toEqual([
      'n0: a caller of key was turned away with nothing wrong: UPSTREAM_UNAVAILABLE',
      'n0: a caller of key was turned away with nothing wrong: REAUTHORIZATION_REQUIRED',
      'n0: a caller of key was turned away with nothing wrong: LIFE_TOO_SHORT',
    ])
  })

  test('who waits with more life at hand than the floor of the policy, and is always to have that much', async () => {
    isWell = true
    credential = { ...credential, policy: { floorMs: 5_000, requestTimeoutMs: 1_000 } }
    audit.failed(comes(15_000, 5_000), new TokenError('LIFE_TOO_SHORT', 'no', { retryable: true }))
    expect(world.violations).toEqual(['n0: a caller of key was turned away with nothing wrong: LIFE_TOO_SHORT'])
    atHand = token(1, 'value', 15_000)
    const caller = comes()
    await world.pass(100)
    audit.given(caller, token(1))
    expect(world.violations[1]).toBe('n0: a caller of key waited 100 ms with 1 at hand')
  })

  test('who asks for a life and is turned away although what is at hand, or was just fetched, has it', async () => {
    const short = new TokenError('LIFE_TOO_SHORT', 'no', { retryable: false })
    atHand = token(1, 'value', 100_000)
    audit.failed(comes(15_000, 90_000), short)
    expect(world.violations).toEqual([])
    audit.failed(comes(15_000, 80_000), short)
    expect(world.violations).toEqual(['n0: a caller of key was turned away with 1 at hand: LIFE_TOO_SHORT'])
    atHand = undefined
    const [asksForMore, asksForLess] = [comes(15_000, 100_000), comes(15_000, 90_000)]
    audit.noted({ ...event, type: 'renewed', version: 2, lifeMs: 95_000 })
    await world.pass(500)
    audit.failed(asksForMore, short)
    expect(world.violations).toHaveLength(1)
    audit.failed(asksForLess, short)
    expect(world.violations[1]).toBe('n0: a caller of key was turned away, although the process has just fetched it')
  })

  test('who comes for another than what is at hand has the time that it takes to say so, and no more patience', async () => {
    atHand = token(1)
    const late = new TokenError('TIMEOUT', 'late', { retryable: true })
    const caller = audit.comesForAnother(credential, 1_000, 500)
    await world.pass(1_400)
    audit.failed(caller, late)
    expect(world.violations).toEqual([])
    audit.failed(audit.comesForAnother(credential, 1_000, 500), late)
    expect(world.violations).toEqual(['n0: a caller of key was told after 0 ms that its bound of 1000 ms had passed'])
  })

  test('who is told that a manager is closed which was not told to', () => {
    const closed = new TokenError('CLOSED', 'no', { retryable: false })
    audit.failed(comes(), closed)
    audit.closes()
    audit.failed(comes(), closed)
    expect(world.violations).toEqual(['n0: a caller of key was told that a manager is closed which is not'])
  })

  test('who is given a version whose end was put off, or has passed, unless a clock was set or the machine slept', async () => {
    audit.given(comes(), token(1))
    audit.given(comes(), token(1, 'value', 3_600_100))
    expect(world.violations).toEqual(['n0: I5: the end of key 1 was put off by 100 ms'])
    await world.pass(1)
    world.processOf(0).stepWall(60_000)
    audit.given(comes(), token(1, 'value', 3_660_000))
    await world.pass(1)
    world.processOf(0).sleep(60_000)
    await world.pass(60_001)
    drift = { since: 0, laterMs: 10 * 60_000, earlierMs: 0, takenAfterMs: 0 }
    audit.given(comes(), token(1, 'value', 3_720_000))
    expect(world.violations).toHaveLength(1)
    await world.pass(3_720_000)
    audit.given(comes(), token(1, 'value', 3_720_000))
    expect(world.violations[1]).toBe('n0: I5: key 1 was served after the end that is told of it')
  })

  test('who waits with a good token at hand: not at all with much life left, a second with little', async () => {
    atHand = token(1)
    const caller = comes()
    await world.pass(100)
    audit.given(caller, token(1))
    expect(world.violations).toEqual(['n0: a caller of key waited 100 ms with 1 at hand'])
    atHand = token(1, 'value', 40_000)
    const patient = comes()
    await world.pass(1_000)
    audit.given(patient, token(1))
    expect(world.violations).toHaveLength(1)
    const kept = comes()
    await world.pass(1_100)
    audit.given(kept, token(1))
    expect(world.violations[1]).toBe('n0: a caller of key waited 1100 ms with 1 at hand')
  })

  test('who hears late of what was published, with nothing wrong', async () => {
    isWell = true
    const caller = comes()
    publishedAt = 100
    await world.pass(200)
    audit.given(caller, token(1))
    expect(world.violations).toEqual(['n0: a caller of key heard 100 ms late of what had been published'])
  })

  test('but where nobody is told of anything, who is served soon after it could be read', async () => {
    isWell = true
    heardMs = 525
    const [caller, late] = [comes(), comes()]
    publishedAt = 100
    await world.pass(600)
    audit.given(caller, token(1))
    expect(world.violations).toEqual([])
    await world.pass(100)
    audit.given(late, token(1))
    expect(world.violations).toEqual(['n0: a caller of key heard 600 ms late of what had been published'])
  })

  test('who is turned away although the process has just fetched what they wait for', async () => {
    const caller = comes(1_000)
    audit.noted({ ...event, type: 'renewed', version: 1, lifeMs: 3_600_000 })
    await world.pass(500)
    audit.failed(caller, new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true }))
    expect(world.violations).toEqual(['n0: a caller of key was turned away, although the process has just fetched it'])
  })

  test('excuses who is turned away if what was fetched was born rejected, or is rejected since', async () => {
    const refuse = async (caller: ReturnType<typeof comes>) => {
      await world.pass(500)
      audit.failed(caller, new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true }))
    }
    audit.told({ ...record, rejectedUpTo: 2 })
    const first = comes(1_000)
    audit.noted({ ...event, type: 'renewed', version: 2, lifeMs: 3_600_000 })
    await refuse(first)
    const second = comes(1_000)
    audit.noted({ ...event, type: 'renewed', version: 3, lifeMs: 3_600_000 })
    audit.told({ ...record, rejectedUpTo: 3 })
    await refuse(second)
    expect(world.violations).toEqual([])
    const third = comes(1_000)
    audit.noted({ ...event, type: 'renewed', version: 4, lifeMs: 3_600_000 })
    audit.told({ ...record, rejectedUpTo: 3 })
    await refuse(third)
    expect(world.violations).toHaveLength(1)
  })

  test('who is given what was reported, unless it was given out again', async () => {
    audit.reports(credential, token(1), Promise.resolve())
    await world.pass(1)
    audit.given(comes(), token(2))
    expect(world.violations).toEqual(['n0: I5: key 2 was served although its value was reported'])
    isForgotten = true
    audit.given(comes(), token(3))
    expect(world.violations).toHaveLength(1)
    isForgotten = false
    given = { ...given, at: 50, times: 2 }
    audit.given(comes(), token(3))
    expect(world.violations).toHaveLength(1)
  })

  test('who believes that a token lives longer than it does', () => {
    audit.given(comes(), token(1, 'value', 3_600_100))
    expect(world.violations).toEqual(['n0: key 1 is believed to live 100 ms longer than it does'])
    // Whoever fetched it may have slept a little before it was shared.
    sleptAt = 0
    audit.given(comes(), token(2, 'value', 3_605_000))
    expect(world.violations).toHaveLength(1)
  })

  test('a life that a store whose clock was set gave to a token, or took from it, is no more than that', async () => {
    drift = { since: 0, laterMs: 60_000, earlierMs: 0, takenAfterMs: 0 }
    audit.given(comes(), token(1, 'value', 3_660_000))
    expect(world.violations).toEqual([])
    audit.given(comes(), token(2, 'value', 3_660_100))
    expect(world.violations).toEqual(['n0: key 2 is believed to live 60100 ms longer than it does'])
    await world.pass(3_659_000)
    audit.given(comes(), token(2, 'value', 3_660_000))
    expect(world.violations).toHaveLength(1)
    await world.pass(2_000)
    audit.given(comes(), token(2, 'value', 3_660_000))
    expect(world.violations[1]).toBe('n0: I5: key 2 was served after its end')
  })

  test('who waits with a token at hand of which the store has taken a part, but not all', async () => {
    const waits = async (earlierMs: number, takenAfterMs = 0) => {
      drift = { since: 1, laterMs: 0, earlierMs, takenAfterMs }
      atHand = token((atHand?.version ?? 0) + 1, 'value', world.timeline.now + 10 * 60_000)
      const caller = comes()
      await world.pass(100)
      audit.given(caller, atHand)
    }
    await world.pass(10)
    await waits(10 * 60_000)
    await waits(Number.POSITIVE_INFINITY)
    await waits(0, 10 * 60_000)
    expect(world.violations).toEqual([])
    await waits(5 * 60_000)
    expect(world.violations).toEqual(['n0: a caller of key waited 100 ms with 4 at hand'])
  })

  test('a process that goes back to an older token, or blames a store that keeps the contract', () => {
    audit.noted({ ...event, type: 'adopted', version: 5, lifeMs: 1 })
    audit.noted({ ...event, type: 'renewed', version: 4, lifeMs: 1 })
    const failure = new TokenError('STORE_INCOMPATIBLE', 'no', { retryable: false })
    audit.noted({ ...event, type: 'detached', failure })
    expect(world.violations).toEqual([
      'n0: I5: it went from 5 of key back to 4',
      'n0: a store that keeps the contract is called incompatible',
    ])
  })

  test('waits after failures that are not drawn', () => {
    const failure = new TokenError('UPSTREAM_UNAVAILABLE', 'no', { retryable: true })
    for (const retryInMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000]) {
      audit.noted({ ...event, type: 'backoff', retryInMs, failure, shared: false })
    }
    expect(world.violations).toEqual(['n0: waits after failures are not drawn'])
  })
})
