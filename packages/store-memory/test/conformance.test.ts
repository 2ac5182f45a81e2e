import { memoryStore } from '@tokenwell/store-memory'
import { describeTokenStore, virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'

describe('the memory store keeps the contract', () => {
  const clock = virtualClock()
  const { notRun } = describeTokenStore({
    test,
    capabilities: { shared: false, durable: false, push: true },
    factory: () => {
      const store = memoryStore({ clock })
      return { stores: [store, store], close: () => store.close() }
    },
    clock: { now: () => clock.wall(), pass: (ms) => clock.advance(ms), stepBack: (ms) => clock.stepWall(-ms) },
  })

  test('and nothing of it was left out', () => expect(notRun).toEqual([]))
})
