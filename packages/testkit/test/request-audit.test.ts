import { TokenError } from '@tokenwell/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Lease, LeaseLog } from '../src/simulation/lease-log.ts'
import { RequestAudit } from '../src/simulation/request-audit.ts'
import { Audited } from './support/audited.ts'

let world: Audited

beforeEach(() => {
  world = new Audited()
})

describe('requests', () => {
  let leases: LeaseLog
  let audit: RequestAudit
  let lease: Lease
  let isOrderly: boolean

  beforeEach(() => {
    leases = new LeaseLog(() => world.timeline.now)
    isOrderly = false
    audit = new RequestAudit({
      now: () => world.timeline.now,
      note: () => {},
      violate: world.violate,
      leases,
      process: (index) => world.processOf(index),
      isOrderly: () => isOrderly,
    })
    lease = leases.grant('tokenwell/key', 'n0.a.1', 7, 8_000)
    leases.goesBy(0, 'tokenwell/key', 7)
  })

  const request = (answerMs: number, more: { patienceMs?: number; lastCallMs?: number; signal?: AbortSignal } = {}) =>
    audit.send(
      { key: 'key', node: 0, ...more },
      () => new Promise<void>((resolve) => void world.timeline.at(world.timeline.now + answerMs, resolve)),
    )

  test('one that leaves after the end of its lease is found out, unless the store has lost the lease or its sender has slept', async () => {
    await world.pass(8_100)
    void request(1)
    expect(world.violations).toEqual(['n0 asked for key 100 ms after its lease had ended'])
    lease.isInDoubt = true
    void request(1)
    lease.isInDoubt = false
    world.processOf(0).sleep(10)
    void request(1)
    expect(world.violations).toHaveLength(1)
  })

  test('one that is still out when its lease ends is found out, unless its sender stood still or takes a last call', async () => {
    await world.pass(7_000)
    void request(1_100)
    await world.pass(1_500)
    expect(world.violations).toEqual(['n0 still waited for key when its lease had ended'])
  })

  test('one before the upstream has told its sender to come back is found out, unless there was another token meanwhile or its sender is another', async () => {
    const refused = () =>
      audit.send({ key: 'key', node: 0 }, async () => {
        throw new TokenError('RATE_LIMITED', 'later', { retryable: true, retryAfterMs: 1_000 })
      })
    await expect(refused()).rejects.toThrow('later')
    await world.pass(1_000)
    await expect(refused()).rejects.toThrow('later')
    expect(world.violations).toEqual([])
    await world.pass(900)
    await expect(refused()).rejects.toThrow('later')
    expect(world.violations).toEqual(['n0 asked for key 100 ms before the upstream had told it to'])
    audit.succeeded('tokenwell/key')
    await expect(refused()).rejects.toThrow('later')
    world.processOf(0).stepWall(1_000)
    await expect(refused()).rejects.toThrow('later')
    await world.pass(500)
    world.processOf(0).kill()
    await expect(refused()).rejects.toThrow('later')
    expect(world.violations).toHaveLength(1)
  })

  test('one that its sender has given up in time is not', async () => {
    const controller = new AbortController()
    void request(20_000, { signal: controller.signal, patienceMs: 7_000 })
    await world.pass(7_000)
    controller.abort()
    await world.pass(20_000)
    expect(world.violations).toEqual([])
  })

  test('one of a sender that stood still, or that takes a last call, is not', async () => {
    await world.pass(7_000)
    void request(1_100, { lastCallMs: 1_000 })
    void request(1_200)
    world.processOf(0).freeze(100)
    await world.pass(2_000)
    expect(world.violations).toEqual([])
  })

  test('one that is waited for too long is found out, with or without a lease', async () => {
    leases.goesBy(0, 'tokenwell/key', undefined)
    void request(7_100, { patienceMs: 7_000 })
    await world.pass(8_000)
    expect(world.violations).toEqual(['n0 waited 7100 ms for key, its bound being 7000 ms'])
  })

  test('one that nobody granted is found out, unless its sender does not reach the store, or needs no lease', () => {
    const from = (node: number, isUnleased = false) => void audit.send({ key: 'key', node, isUnleased }, async () => {})
    from(0)
    from(1, true)
    leases.goesBy(2, 'tokenwell/key', undefined)
    from(2)
    expect(world.violations).toEqual([])
    from(1)
    leases.forgotten(2)
    from(2)
    expect(world.violations).toEqual([
      'n1 asked for key without ever having been granted a lease',
      'n2 asked for key without ever having been granted a lease',
    ])
  })

  test('one whose sender has died is not under way any more', async () => {
    isOrderly = true
    void audit.send({ key: 'key', node: 0 }, () => new Promise(() => {}))
    world.processOf(0).kill()
    leases.goesBy(1, 'tokenwell/key', undefined)
    void audit.send({ key: 'key', node: 1 }, async () => {})
    expect(world.violations).toEqual([])
  })

  test('ten in a minute are too many, and one more for each process that stood still and each that was inconclusive', async () => {
    for (let count = 0; count < 9; count += 1) void request(1)
    audit.stops(2)
    audit.stops(2)
    void request(1)
    // One for the last of them, however often it is said, and none for another's.
    for (let count = 0; count < 3; count += 1) audit.inconclusive(0, 'key')
    audit.inconclusive(1, 'key')
    audit.inconclusive(0, 'another')
    void request(1)
    expect(world.violations).toEqual([])
    void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 12 times in a minute; at most 11'])
  })

  test('so is one for each whose sender ends before it has told what became of it', () => {
    for (let count = 0; count < 9; count += 1) void request(1)
    audit.ends(1)
    audit.told('another', 'n0.a.1')
    audit.told('key', 'n0.a.2')
    audit.ends(0)
    world.processOf(0).kill()
    // What was sent before that life is no part of its end.
    audit.ends(0)
    void request(1)
    expect(world.violations).toEqual([])
    void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 11 times in a minute; at most 10'])
  })

  test('and none any more once it has told after all', () => {
    for (let count = 0; count < 9; count += 1) void request(1)
    audit.ends(0)
    audit.told('key', 'n0.a.1')
    void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 10 times in a minute; at most 9'])
  })

  test('who takes over sends no sooner than after its delay, unless its grant was of another kind, or it needs none', async () => {
    const from = (key: string, takeoverDelayMs?: number) =>
      void audit.send({ key, node: 0, ...(takeoverDelayMs !== undefined && { takeoverDelayMs }) }, async () => {})
    from('key', 3_000)
    leases.grant('tokenwell/taken', 'n0.a.2', 8, 8_000, true)
    leases.goesBy(0, 'tokenwell/taken', 8)
    from('taken')
    await world.pass(2_900)
    expect(world.violations).toEqual([])
    from('taken', 3_000)
    expect(world.violations).toEqual(['n0 took taken over after 2900 ms'])
    await world.pass(100)
    from('taken', 3_000)
    expect(world.violations).toHaveLength(1)
  })

  test('a process without the store has eight of its own, and the second request of a fetch is none', () => {
    audit.alone(1)
    for (let count = 0; count < 17; count += 1) void request(1)
    for (let count = 0; count < 20; count += 1) void audit.send({ key: 'key', node: 0, isSecond: true }, async () => {})
    expect(world.violations).toEqual([])
    void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 18 times in a minute; at most 17'])
  })

  test('a record that is lost is begun to be counted anew, and no other', () => {
    audit.forgot('tokenwell/another')
    for (let count = 0; count < 10; count += 1) void request(1)
    audit.forgot('tokenwell/key')
    for (let count = 0; count < 8; count += 1) void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 10 times in a minute; at most 9'])
    audit.forgot()
    for (let count = 0; count < 9; count += 1) void request(1)
    expect(world.violations).toHaveLength(1)
  })

  test('a success after which seven more may follow is one that was due', () => {
    audit.succeeded('tokenwell/key')
    audit.published('tokenwell/key')
    for (let count = 0; count < 16; count += 1) void request(1)
    expect(world.violations).toEqual([])
    void request(1)
    expect(world.violations).toEqual(['I10: key was fetched 17 times in a minute; at most 16'])
  })

  test('what is replaced more than nine times in a minute is found out, and once more for each loss, and for each process that goes by what it knows itself', async () => {
    for (let count = 0; count < 9; count += 1) audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations).toEqual([])
    audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations).toEqual(['I10: tokenwell/key was replaced 10 times in a minute; at most 9'])
    audit.alone(1)
    audit.stops(2)
    audit.forgot('tokenwell/key')
    audit.forgot('tokenwell/another')
    for (let count = 0; count < 2; count += 1) audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations).toHaveLength(1)
    audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations.at(-1)).toBe('I10: tokenwell/key was replaced 13 times in a minute; at most 12')
    await world.pass(60_000)
    for (let count = 0; count < 9; count += 1) audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations).toHaveLength(2)
    for (let count = 0; count < 20; count += 1) audit.replaced('tokenwell/key', 'due')
    audit.replaced('tokenwell/key', 'rejected')
    expect(world.violations).toHaveLength(2)
  })

  test('two at once are found out where nothing went wrong, also if a third came and went between them', async () => {
    void request(100)
    void request(10)
    await world.pass(50)
    expect(world.violations).toEqual([])
    isOrderly = true
    void request(10)
    expect(world.violations).toEqual(['I1: key was asked for twice at once, with nothing wrong'])
    await world.pass(100)
    void request(10)
    expect(world.violations).toHaveLength(1)
  })

  test('one that its sender has given up is not under way any more', () => {
    isOrderly = true
    const controller = new AbortController()
    void request(20_000, { signal: controller.signal })
    controller.abort()
    void request(10)
    expect(world.violations).toEqual([])
  })
})
