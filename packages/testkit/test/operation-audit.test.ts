import type { Claim } from '@tokenwell/core'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Lease } from '../src/simulation/lease-log.ts'
import { OperationAudit } from '../src/simulation/operation-audit.ts'
import { Audited, record } from './support/audited.ts'

let world: Audited

beforeEach(() => {
  world = new Audited()
})

describe('operations', () => {
  let audit: OperationAudit
  let lease: Lease

  beforeEach(() => {
    lease = { key: 'tokenwell/key', attempt: 'n0.a.1', fence: 7, grantedAt: 0, isTakeover: false, endsAt: 8_000, isInDoubt: false }
    audit = new OperationAudit({ timeline: world.timeline, violate: world.violate, rotates: () => false, nodes: 5 })
  })

  const claim = (attempt: string, answer: Claim | undefined, index = 0) =>
    audit.claim(
      world.processOf(index),
      'tokenwell/key',
      attempt,
      { signal: new AbortController().signal },
      () => (answer === undefined ? new Promise(() => {}) : Promise.resolve(answer)),
      () => lease,
    )
  const granted: Claim = { kind: 'granted', fence: 7, takeover: false, snapshot: record }
  const fresh: Claim = { kind: 'fresh', snapshot: record }
  const held: Claim = { kind: 'held', snapshot: record }
  const life = (expiresInMs: number) => ({ value: 'value', renewInMs: 1, expiresInMs })
  const publish = (attempt: string, expiresInMs: number) =>
    audit.publish(world.processOf(0), 'tokenwell/key', attempt, life(expiresInMs), { signal: new AbortController().signal }, async () => ({
      kind: 'accepted',
      snapshot: record,
    }))
  const settle = (attempt: string) => audit.settle(world.processOf(0), 'tokenwell/key', attempt, async () => record)

  test('a claim under another attempt while the last is not answered is found out', async () => {
    void claim('n0.a.1', undefined)
    void claim('n0.a.1', undefined)
    expect(world.violations).toEqual([])
    void claim('n0.a.2', undefined)
    expect(world.violations).toEqual(['n0 claims tokenwell/key anew, and may have been granted it already'])
  })

  test('a lease that is neither published under nor given back is found out, and no other', async () => {
    await claim('n0.a.1', granted)
    await settle('n0.a.1')
    await claim('n0.a.2', granted)
    await publish('n0.a.2', 60_000)
    await world.pass(10_000)
    expect(world.violations).toEqual([])
    lease.endsAt = world.timeline.now + 8_000
    await claim('n0.a.3', granted)
    await world.pass(10_000)
    expect(world.violations).toEqual(['n0 neither published tokenwell/key under its lease nor gave it back'])
  })

  test('a lease whose process has died, stood still, or may have lost it, is not', async () => {
    await claim('n0.a.1', granted)
    world.processOf(0).freeze(10)
    await claim('n1.a.1', granted, 1)
    world.processOf(1).kill()
    await world.pass(10_000)
    expect(world.violations).toEqual([])
  })

  test('a store that is called down after one message is found out, after two it is not', () => {
    void claim('n0.a.1', undefined)
    audit.detached(world.processOf(0), 'tokenwell/key')
    expect(world.violations).toEqual(['n0 takes the store for down after one message about tokenwell/key'])
    void claim('n0.a.1', undefined)
    audit.detached(world.processOf(0), 'tokenwell/key')
    expect(world.violations).toHaveLength(1)
  })

  test('what is about to end is not to be shared', async () => {
    await claim('n0.a.1', granted)
    await publish('n0.a.1', 7_499)
    expect(world.violations).toEqual(['n0 shares tokenwell/key with 7499 ms to live'])
  })

  test('a process that claims without a pause is found out', async () => {
    for (let count = 1; count <= 91; count += 1) await claim(`n0.a.${count}`, held)
    expect(world.violations).toEqual(['n0 claims tokenwell/key 91 times in a minute for nothing new'])
  })

  test('a claim that is sent twice without an answer counts once', () => {
    for (let count = 1; count <= 180; count += 1) void claim('n0.a.1', undefined)
    expect(world.violations).toEqual([])
    void claim('n0.a.1', undefined)
    expect(world.violations).toEqual(['n0 claims tokenwell/key 91 times in a minute for nothing new'])
  })

  test('what has changed since is a reason to claim again, for so many claims as a fleet can change the record', async () => {
    for (let count = 1; count <= 270; count += 1) {
      await claim(`n0.a.${count}`, held)
      await world.pass(1)
      audit.stirred('tokenwell/key')
    }
    expect(world.violations).toEqual([])
    await claim('n0.a.271', held)
    expect(world.violations).toEqual(['n0 claims tokenwell/key 271 times in a minute'])
  })

  test('a lease that its process still has when it has ended as it should is found out', async () => {
    await claim('n0.a.1', granted)
    await settle('n0.a.1')
    audit.left(world.processOf(0))
    expect(world.violations).toEqual([])
    await claim('n0.a.2', granted)
    audit.left(world.processOf(1))
    expect(world.violations).toEqual([])
    audit.left(world.processOf(0))
    expect(world.violations).toEqual(['n0 has left with the lease on tokenwell/key'])
  })

  test('so is one under which it has published without an answer, unless it has given it back since', async () => {
    const unanswered = () =>
      audit
        .publish(world.processOf(0), 'tokenwell/key', 'n0.a.1', life(60_000), { signal: new AbortController().signal }, async () => {
          throw new Error('lost')
        })
        .catch(() => {})
    await claim('n0.a.1', granted)
    await unanswered()
    await settle('n0.a.1')
    audit.left(world.processOf(0))
    await publish('n0.a.1', 60_000)
    audit.left(world.processOf(0))
    expect(world.violations).toEqual([])
    await unanswered()
    audit.left(world.processOf(0))
    expect(world.violations).toEqual(['n0 has left with the lease on tokenwell/key'])
  })

  test('four processes that come for the next token at once are found out, unless they may have been told', async () => {
    const all = async (number: number, answer: Claim) => {
      for (const index of [0, 1, 2, 3]) await claim(`n${index}.a.${number}`, answer, index)
    }
    await all(1, fresh)
    await world.pass(1_000)
    audit.stirred('tokenwell/key')
    await all(2, held)
    await world.pass(1_000)
    await all(3, fresh)
    expect(world.violations).toEqual([])
    await world.pass(1_000)
    await all(4, held)
    expect(world.violations).toEqual(['4 processes come for the next tokenwell/key within 1 ms'])
  })

  test('four that come when a lease has run out are no accident the second time, and after a failure they are not to blame', async () => {
    const all = async (number: number, answer: Claim) => {
      for (const index of [0, 1, 2, 3]) await claim(`n${index}.a.${number}`, answer, index)
      await world.pass(1_000)
    }
    await all(1, held)
    await all(2, held)
    await all(3, { kind: 'backoff', snapshot: record })
    await all(4, held)
    expect(world.violations).toEqual(['4 processes come for the next tokenwell/key within 1 ms'])
  })

  test('a herd is one however its answers come, and be they lost; of those who came a little apart it is none', async () => {
    /** Claims at these milliseconds, answered in this order. */
    const claims = async (number: number, at: readonly number[], order: readonly number[]) => {
      const answers = at.map(() => Promise.withResolvers<Claim>())
      const from = world.timeline.now
      const asked = at.map((moment, index) => ({ moment, index })).sort((one, other) => one.moment - other.moment)
      const given: Promise<unknown>[] = []
      for (const { moment, index } of asked) {
        await world.pass(from + moment - world.timeline.now)
        given[index] = audit
          .claim(
            world.processOf(index),
            'tokenwell/key',
            `n${index}.a.${number}`,
            { signal: new AbortController().signal },
            () => (answers[index] as PromiseWithResolvers<Claim>).promise,
            () => lease,
          )
          .catch(() => {})
      }
      for (const index of order) {
        if (number === 4 && index === 0) answers[index]?.reject(new Error('lost'))
        else answers[index]?.resolve(number === 1 ? fresh : held)
        await given[index]
      }
      await world.pass(1_000)
    }
    // The third and the fourth come when a lease has run out: the first such herd may be an accident.
    await claims(1, [0, 0, 0, 0, 0], [0, 1, 2, 3, 4])
    await claims(2, [0, 0.1, 1.9, 1, 50], [0, 1, 2, 3, 4])
    expect(world.violations).toEqual([])
    await claims(3, [0.5, 1, 1.6, 2, 1.3], [0, 1, 2, 3, 4])
    expect(world.violations).toEqual([])
    await claims(4, [0, 0, 0, 0, 0], [1, 2, 3, 0, 4])
    expect(world.violations).toEqual(['4 processes come for the next tokenwell/key within 1 ms'])
  })

  test('who has been told meanwhile that there is something fresh waits for nothing any more', async () => {
    const come = async (number: number, answer: Claim) => {
      for (const index of [0, 1, 2, 3]) await claim(`n${index}.a.${number}`, answer, index)
    }
    await come(1, { kind: 'backoff', snapshot: record })
    for (const index of [0, 1, 2, 3]) audit.told(world.processOf(index), { ...record, version: 7, renewInMs: 1_000, expiresInMs: 2_000 })
    await world.pass(1_000)
    await come(2, held)
    expect(world.violations).toEqual(['4 processes come for the next tokenwell/key within 1 ms'])
  })
})
