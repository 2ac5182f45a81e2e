import { memoryStore } from '@tokenwell/store-memory'
import { beforeEach, describe, expect, test } from 'vitest'
import { LeaseLog } from '../src/simulation/lease-log.ts'
import { OperationAudit } from '../src/simulation/operation-audit.ts'
import { drawsOf } from '../src/simulation/random.ts'
import { SimulatedStore } from '../src/simulation/simulated-store.ts'
import type { Over, StoreNews } from '../src/simulation/store-audit.ts'
import { Wire } from '../src/simulation/wire.ts'
import { Audited } from './support/audited.ts'

describe('a store of a world', () => {
  let world: Audited
  let store: SimulatedStore
  let wire: Wire
  let took: () => void
  let replaced: (Over | undefined)[]

  beforeEach(() => {
    world = new Audited()
    const { timeline, violate } = world
    took = () => {}
    replaced = []
    const published = (...[, , , , over]: Parameters<StoreNews['published']>) => void replaced.push(over)
    const news = { violate, took: () => took(), sent() {}, published, rejected() {}, granted() {}, stirred() {}, lost() {} }
    const operations = new OperationAudit({ timeline, violate, rotates: () => false, nodes: 5 })
    store = new SimulatedStore(timeline, (clock) => memoryStore({ clock }), {
      news,
      operations,
      leases: new LeaseLog(() => timeline.now),
    })
    wire = new Wire(timeline, world.processOf(0), { draws: drawsOf(1, 'wire'), latency: { min: 1, max: 2 }, struck: () => {} })
  })

  /** Asks, and gives up after so long. */
  function ask(patienceMs: number): void {
    const giveUp = new AbortController()
    const asked = store.over(wire, world.processOf(0), { told() {}, unreachable() {} }).read(['key'], { signal: giveUp.signal })
    void asked.catch(() => {})
    world.processOf(0).clock.schedule(() => giveUp.abort(), patienceMs)
  }

  test('finds out who waits for it longer than for a deadline', async () => {
    wire.set('lost-request', 1)
    ask(1_000)
    await world.pass(10_000)
    expect(world.violations).toEqual([])
    ask(2_000)
    await world.pass(10_000)
    expect(world.violations).toEqual(['n0 waits for longer than 1000 ms for what the store says of key'])
  })

  test('answers as it does when a check of it breaks, which is a violation', async () => {
    took = () => {
      throw new TypeError('no such process')
    }
    const operation = { signal: new AbortController().signal }
    const asked = store
      .over(wire, world.processOf(0), { told() {}, unreachable() {} })
      .claim('key', 'n0.a.1', { leaseMs: 5_000, seen: 0, rejected: 0 }, operation)
    await world.pass(10)
    expect((await asked).kind).toBe('granted')
    expect(world.violations).toEqual(['a check of the store broke: TypeError: no such process'])
  })

  test('takes a ticket that comes again with a newer time for news, where others have published since', async () => {
    const over = store.over(wire, world.processOf(0), { told() {}, unreachable() {} })
    const operation = { signal: new AbortController().signal }
    const push = async (event: string, at: number) => {
      const asked = over.publish('key', event, at, { value: event, expiresInMs: 60_000, renewInMs: 60_000 }, operation)
      await world.pass(10)
      return (await asked).snapshot.version
    }
    const versions = [await push('one', 100), await push('one', 200), await push('other', 150), await push('one', 200)]
    expect(versions).toEqual([100, 100, 150, 200])
    expect(world.violations).toEqual([])
  })

  test('tells whether what is replaced was over, also for whom alone it was', async () => {
    const over = store.over(wire, world.processOf(0), { told() {}, unreachable() {} })
    const operation = { signal: new AbortController().signal }
    const claimed = async (attempt: string, rejected: number) => {
      const asked = over.claim('key', attempt, { leaseMs: 60_000, seen: 0, rejected }, operation)
      await world.pass(10)
      return await asked
    }
    const publishes = async (attempt: string, fence: number) => {
      void over.publish('key', attempt, fence, { value: attempt, expiresInMs: 60_000, renewInMs: 30_000 }, operation)
      await world.pass(10)
    }
    const first = await claimed('n0.key.1', 0)
    const version = first.kind === 'granted' ? first.fence : 0
    await publishes('n0.key.1', version)
    expect((await claimed('n0.key.2', 0)).kind).toBe('fresh')
    // It has reported what it has, and the store was never told.
    const second = await claimed('n0.key.2', version)
    const next = second.kind === 'granted' ? second.fence : 0
    await publishes('n0.key.2', next)
    await publishes('event', next + 1)
    await world.pass(30_000)
    await publishes('another event', next + 2)
    expect(replaced).toEqual(['due', 'rejected', undefined, 'due'])
    expect(world.violations).toEqual([
      'key was published by event, which was never granted it',
      'key was published by another event, which was never granted it',
    ])
  })

  test('excuses who has an answer, has stood still or is dead', async () => {
    ask(60_000)
    await world.pass(10_000)
    wire.set('lost-request', 1)
    ask(1_000)
    await world.pass(500)
    world.processOf(0).freeze(5_000)
    await world.pass(10_000)
    ask(60_000)
    world.processOf(0).kill()
    await world.pass(60_000)
    expect(world.violations).toEqual([])
  })

  test('says that it cannot be reached once a process has asked twice for the same in vain, whatever else it was told meanwhile', async () => {
    const unreachable: string[] = []
    const over = store.over(wire, world.processOf(0), { told() {}, unreachable: (key) => void unreachable.push(key) })
    const operation = { signal: new AbortController().signal }
    const claim = async (isRefused: boolean) => {
      wire.set('refused', isRefused ? 1 : 0)
      void over.claim('key', 'n0.key.1', { leaseMs: 60_000, seen: 0, rejected: 0 }, operation).catch(() => {})
      await world.pass(100)
    }
    const read = async (isRefused: boolean) => {
      wire.set('refused', isRefused ? 1 : 0)
      void over.read(['key'], operation).catch(() => {})
      await world.pass(100)
    }
    await claim(true)
    await claim(false)
    await claim(true)
    await read(true)
    await read(false)
    expect(unreachable).toEqual([])
    await claim(true)
    expect(unreachable).toEqual(['key'])
  })

  describe('tells once that it', () => {
    let struck: number
    const strikes = () => {
      struck += 1
    }
    beforeEach(() => {
      struck = 0
    })

    test('holds something up, which is carried out when the last stall is over', async () => {
      const ends = [store.stall(strikes), store.stall(() => {})]
      await world.pass(1_000)
      expect(struck).toBe(0)
      let isTold = false
      const told = () => {
        isTold = true
      }
      const asked = store.over(wire, world.processOf(0), { told, unreachable() {} }).read(['key'], { signal: new AbortController().signal })
      await world.pass(10)
      ask(100)
      await world.pass(200)
      expect(struck).toBe(1)
      ends[0]?.()
      await world.pass(100)
      expect(isTold).toBe(false)
      ends[1]?.()
      await world.pass(100)
      await asked
      expect(isTold).toBe(true)
      ask(100)
      await world.pass(200)
      expect(struck).toBe(1)
    })

    test('refuses something, of somebody who still waits for it', async () => {
      const end = store.goDown(strikes)
      // It arrives when nobody is there any more.
      ask(0)
      await world.pass(100)
      wire.set('duplicate', 1)
      ask(60_000)
      await world.pass(0)
      world.processOf(0).kill()
      await world.pass(150_000)
      expect(struck).toBe(0)
      wire.set('duplicate', 0)
      ask(100)
      ask(100)
      await world.pass(200)
      expect(struck).toBe(1)
      end()
      let isTold = false
      const told = () => {
        isTold = true
      }
      void store.over(wire, world.processOf(0), { told, unreachable() {} }).read(['key'], { signal: new AbortController().signal })
      await world.pass(100)
      expect(isTold).toBe(true)
    })

    test('goes by a clock that is wrong', async () => {
      const end = store.misread(strikes)
      await world.pass(1_000)
      expect(struck).toBe(0)
      ask(100)
      await world.pass(200)
      expect(struck).toBe(1)
      end()
    })
  })

  test('loses one record, drawn among those that were written to', async () => {
    const over = store.over(wire, world.processOf(0), { told() {}, unreachable() {} })
    const operation = { signal: new AbortController().signal }
    expect(store.loseOne(drawsOf(1, 'loss'))).toBeUndefined()
    for (const key of ['one', 'other']) void over.claim(key, `n0.${key}.1`, { leaseMs: 60_000, seen: 0, rejected: 0 }, operation)
    await world.pass(100)
    const lost = store.loseOne(drawsOf(1, 'loss'))
    expect(['one', 'other']).toContain(lost)
    const leased = await Promise.all(['one', 'other'].map(async (key) => (await store.look(key)).lease !== undefined))
    expect(leased.filter(Boolean)).toHaveLength(1)
    expect(store.loseOne(drawsOf(1, 'loss'))).not.toBe(lost)
    expect(store.loseOne(drawsOf(1, 'loss'))).toBeUndefined()
  })
})
