import { describe, expect, test } from 'vitest'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { ANN, authorize, failure, LEASE, noted, slowExchange } from '../support/user-world.ts'
import { createWorld, HOUR, pass, watched } from '../support/world.ts'

describe('a user who authorises while the machine sleeps', () => {
  /** A node whose machine sleeps for so long while the code is exchanged, having known an earlier login; the exchange's reply is yet to come. */
  async function asleep(sleptMs: number) {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    const { held, authorizing, accessToken } = await slowExchange(world, one)
    world.suspend(sleptMs)
    const stored = async () => {
      noted(world)
      const [snapshot] = await world.store.read([`tokenwell/${one.tokens.user(ANN).key}`], { signal: new AbortController().signal })
      return { ...snapshot, access: JSON.parse(snapshot?.value ?? '').access }
    }
    return { world, one, other, held, authorizing, accessToken, stored }
  }

  test('has a login that ends when its tokens do, though it replaces what another has refreshed meanwhile', async () => {
    const sleptMs = LEASE + 5_000
    const { world, other, held, authorizing, accessToken, stored } = await asleep(sleptMs)
    const refreshed = watched(other.tokens.user(ANN).get({ timeoutMs: 60_000 }))
    await pass(world.clock, userPolicy.takeoverDelayMs)
    expect((await refreshed.promise).value).not.toBe(accessToken)
    held.release()
    await pass(world.clock, 1_000)
    await authorizing.promise
    const { access, expiresInMs } = await stored()
    expect(access).toBe(accessToken)
    expect(expiresInMs).toBeLessThanOrEqual(2 * HOUR - sleptMs)
    expect(expiresInMs).toBeGreaterThan(2 * HOUR - sleptMs - 10_000)
  })

  test('keeps the login that he has given on another node since, and is told', async () => {
    const { world, one, other, held, authorizing, accessToken, stored } = await asleep(HOUR)
    await authorize(world, other)
    const { value } = await other.tokens.user(ANN).get()
    expect(value).not.toBe(accessToken)
    held.release()
    const error = failure(authorizing.promise)
    await pass(world.clock, 1_000)
    expect(await error).toMatchObject({ code: 'TIMEOUT', retryable: false })
    const { access, lease } = await stored()
    expect({ access, lease }).toEqual({ access: value, lease: undefined })
    expect((await one.tokens.user(ANN).get()).value).toBe(value)
  })

  test('has that login all the same where there has been no other', async () => {
    const { world, other, held, authorizing, accessToken, stored } = await asleep(HOUR)
    held.release()
    await pass(world.clock, 1_000)
    await authorizing.promise
    expect((await stored()).access).toBe(accessToken)
    await pass(world.clock, HOUR)
    expect(world.simulator.judge((await other.tokens.user(ANN).get()).value)).toBe('valid')
  })
})
