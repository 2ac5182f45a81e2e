import { memoryStore } from '@tokenwell/store-memory'
import { describe, expect, test } from 'vitest'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { ANN, authorize, failure, noted, requests, slowExchange } from '../support/user-world.ts'
import { createWorld, eventually, MINUTE, pass, quiet, watched } from '../support/world.ts'

describe('while a user authorises, the clock of the store is set back, and with it goes the lease', () => {
  /** Another node has refreshed the old login meanwhile. `loseAnswers` of publications of the node that authorises. */
  async function overtaken() {
    const world = await createWorld({ appType: 'custom' })
    let aheadMs = 0
    let isAnswered = true
    const store = memoryStore({ clock: { wall: () => world.clock.wall() + aheadMs } })
    const unsure: typeof store = {
      ...store,
      async publish(...given) {
        if (isAnswered) return store.publish(...given)
        isAnswered = true
        throw new Error('the request is lost')
      },
    }
    const [one, other] = [world.node({ store: unsure }), world.node({ store })]
    const { held, authorizing, accessToken } = await slowExchange(world, one)
    await pass(world.clock, 1_000)
    aheadMs = -10 * MINUTE
    const refreshed = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await eventually(() => other.events.some((event) => event.type === 'granted' && event.takeover))
    await pass(world.clock, userPolicy.takeoverDelayMs)
    expect((await refreshed.promise).value).not.toBe(accessToken)
    await quiet()
    return {
      world,
      one,
      other,
      held,
      authorizing,
      accessToken,
      loseRequest: () => {
        isAnswered = false
      },
    }
  }

  test('what was granted to him takes the place of what another has refreshed', async () => {
    const { world, one, other, held, authorizing, accessToken } = await overtaken()
    held.release()
    await quiet()
    await pass(world.clock, 1_000)
    await authorizing.promise
    noted(world)
    for (const { tokens } of [one, other]) {
      await tokens.user(ANN).get()
      await quiet()
      expect((await tokens.user(ANN).get()).value).toBe(accessToken)
    }
  })

  test('and where it cannot be known whether it was stored, that is what he is told', async () => {
    const { world, held, authorizing, loseRequest } = await overtaken()
    loseRequest()
    const answer = failure(authorizing.promise)
    held.release()
    await quiet()
    await pass(world.clock, 1_000)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', retryable: false, message: expect.stringContaining('was overtaken') })
    noted(world)
  })
})

test.each([0, 9_000])(
  'a user authorises after the clock of the store was set back, and another takes the lease over that has run out: he is not told that his login is stored, though its grant was told %i ms late',
  async (lateMs) => {
    const world = await createWorld({ appType: 'custom' })
    let aheadMs = 0
    let isLost = false
    const store = memoryStore({ clock: { wall: () => world.clock.wall() + aheadMs } })
    const unsure: typeof store = {
      ...store,
      async claim(...given) {
        const claim = await store.claim(...given)
        if (isLost && lateMs > 0) await new Promise<void>((resolve) => world.clock.schedule(resolve, lateMs))
        return claim
      },
      async publish(...given) {
        if (isLost) throw new Error('the request is lost')
        return store.publish(...given)
      },
    }
    const [one, other] = [world.node({ store: unsure, manager: { storeTimeoutMs: 10_000 } }), world.node({ store })]
    await authorize(world, one)
    await other.tokens.user(ANN).get()
    aheadMs = -60_000
    isLost = true
    const answer = failure(authorize(world, one))
    await pass(world.clock, lateMs)
    await eventually(() => requests(world) === 2)
    await quiet()
    await other.tokens.user(ANN).reject(await other.tokens.user(ANN).get())
    const refreshed = watched(other.tokens.user(ANN).get({ timeoutMs: MINUTE }))
    // Fences are ahead of the clock: that of the one who takes over is less than a lease above the one that was lost.
    for (let passed = lateMs; passed < 14_500; passed += 500) await pass(world.clock, 500)
    expect(other.events).toContainEqual(expect.objectContaining({ type: 'granted', takeover: true }))
    expect(refreshed.outcome).toBe('resolved')
    isLost = false
    await pass(world.clock, 1_000)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('was overtaken') })
    noted(world)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  },
)
