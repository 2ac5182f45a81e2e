import { type Policy, TokenError } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { mintedToken, type PlayableStore, type Scenario, type SimulationOptions, simulate } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import { describe, expect, test } from 'vitest'
import { defaultPolicy } from '../../core/src/machine/policy.ts'
import { CORE_POLICY } from '../src/simulation/core-policy.ts'

const MINUTE = 60_000

const withPush = (clock: { wall(): number }): PlayableStore => memoryStore({ clock })

/** A store as the contract allows it, which tells nobody of anything. */
const withoutPush = (clock: { wall(): number }): PlayableStore => {
  const { subscribe: _, ...others } = memoryStore({ clock })
  return { ...others, capabilities: { ...others.capabilities, push: false } }
}

/** An upstream that makes a new token for each request, or answers with an error while it `refuses`. */
function refusing(policy: Partial<Policy>, error: () => TokenError): Scenario {
  const lifeMs = 20 * MINUTE
  return {
    faults: ['refuses'],
    begin({ now, request, struck }) {
      const endsAt = new Map<string, number>()
      let refusals = 0
      const mint = async () => {
        if (refusals > 0) {
          struck('refuses')
          throw error()
        }
        const value = `token ${endsAt.size}`
        endsAt.set(value, now() + lifeMs)
        return { value, expiresInMs: lifeMs }
      }
      return {
        trouble() {
          refusals += 1
          return () => {
            refusals -= 1
          }
        },
        start: ({ index, manager, wire }) => {
          const key = 'refusing'
          const fetch = ({ signal }: { readonly signal: AbortSignal }) => request({ key, node: index, signal }, () => wire.request(mint))
          const worth = (value: string) => {
            const end = endsAt.get(value)
            return end === undefined ? 'unknown' : now() < end ? 'valid' : 'ended'
          }
          return [{ name: key, handle: manager.token({ key, fetch, policy }), policy, worth }]
        },
      }
    },
  }
}

/** What was wrong in the worlds of so many seeds. */
async function wrongOf(seeds: number, world: Omit<SimulationOptions, 'seed' | 'store'> & Partial<SimulationOptions>): Promise<string[]> {
  const wrong: string[] = []
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violations } = await simulate({ store: withPush, troubles: 40, ...world, seed })
    wrong.push(...violations.map((violation) => `seed ${seed}: ${violation}`))
  }
  return wrong
}

describe('nothing is wrong', () => {
  test.each([
    ['a token', mintedToken],
    ['an app with tickets, tenants and users', feishuApp],
  ])(
    'over a store without push, with %s',
    async (_, scenario) => {
      expect(await wrongOf(20, { store: withoutPush, scenario: scenario() })).toEqual([])
    },
    120_000,
  )

  test('over a store without push, with lives of less than two windows and many processes', async () => {
    const scenario = () => mintedToken({ lifeMs: 100_000 })
    expect(await wrongOf(20, { store: withoutPush, scenario: scenario(), nodes: 9, hours: 2, troubles: 0 })).toEqual([])
  }, 120_000)

  test('with an upstream that refuses for good, or says when to come back', async () => {
    const refuses: readonly [Partial<Policy>, retryable: boolean, retryAfterMs: number][] = [
      [{}, false, 0],
      [{ fatalBackoffMs: 10 * MINUTE }, false, 0],
      [{}, true, 30 * MINUTE],
    ]
    const plan = [{ at: 18 * MINUTE, forMs: 20 * MINUTE, on: 'upstream', kind: 'refuses' }] as const
    for (const [policy, retryable, retryAfterMs] of refuses) {
      const scenario = refusing(policy, () => new TokenError('UPSTREAM_REFUSED', 'no', { retryable, retryAfterMs }))
      expect(await wrongOf(20, { scenario, hours: 2, plan })).toEqual([])
    }
  }, 120_000)

  test.each<[string, Partial<Policy>, { readonly lifeMs?: number; readonly sameAboveMs?: number }, hours?: number]>([
    [
      'a window too short for a life of a minute',
      { renewWindowMs: 60_000, renewJitterMs: 30_000, floorMs: 20_000 },
      { lifeMs: 5 * MINUTE, sameAboveMs: MINUTE },
    ],
    ['waits of up to ten minutes', { backoffBaseMs: 2 * MINUTE, backoffCapMs: 10 * MINUTE }, {}],
    ['waits of up to an hour', { backoffBaseMs: 2 * MINUTE, backoffCapMs: 60 * MINUTE }, { lifeMs: 30 * MINUTE }],
    ['next to no floor', { floorMs: 1_000 }, {}],
    ['a floor as large as its window lets it', { renewWindowMs: 30 * MINUTE, renewJitterMs: 10 * MINUTE, floorMs: 20 * MINUTE }, {}],
    ['requests of up to a minute', { requestTimeoutMs: MINUTE }, { lifeMs: 20 * MINUTE }],
    ['lives of five minutes that are too short', { minimumLifeMs: 5 * MINUTE }, { lifeMs: 30 * MINUTE, sameAboveMs: 6 * MINUTE }],
    ['the shortest lives that can be shared', {}, { lifeMs: 31_000 }, 1],
    ['a token that is repeated as long as it can be shared', {}, { lifeMs: 10 * MINUTE, sameAboveMs: 31_000 }],
  ])(
    'under a policy with %s',
    async (_, policy, token, hours = 6) => {
      expect(await wrongOf(20, { scenario: mintedToken({ policy, ...token }), hours })).toEqual([])
    },
    120_000,
  )
})

test.each([
  ['lifeMs', { lifeMs: 30_999 }, 31_000, '30999'],
  ['sameAboveMs', { sameAboveMs: 0 }, 31_000, '0'],
  ['sameAboveMs', { sameAboveMs: Number.NaN }, 31_000, 'NaN'],
  ['lifeMs', { lifeMs: 60_000, policy: { minimumLifeMs: 60_000 } }, 61_000, '60000'],
])('an upstream whose tokens are too short to be shared is refused: %s', (option, options, least, got) => {
  expect(() => mintedToken(options)).toThrow(
    new TypeError(`mintedToken: ${option}: expected milliseconds from ${least}, or nothing can be shared, got ${got}`),
  )
})

test("what the checks take for core's defaults are core's defaults", () => {
  expect(CORE_POLICY).toEqual(defaultPolicy)
})
