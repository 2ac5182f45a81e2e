import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Policy } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import * as testkit from '@tokenwell/testkit'
import { mintedToken, type PlayableStore, type SimulationOptions, simulate } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import ts from 'typescript'
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

describe('of the README', () => {
  const blocks = [...readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
  const examples = blocks.flatMap(([, code = '']) => (/\bsimulate\(/.test(code) ? [code] : []))

  /** Plays an example as it is printed, but for the types that it has and what is said here. @returns what it told, and of how many worlds */
  async function play(example: string, otherwise: Partial<SimulationOptions>): Promise<{ told: unknown[]; worlds: number }> {
    const told: unknown[] = []
    let worlds = 0
    const parts = {
      memoryStore,
      ...testkit,
      console: { error: (...what: unknown[]) => told.push(what) },
      async simulate(options: SimulationOptions) {
        worlds += 1
        const report = await simulate({ ...options, ...otherwise })
        if (report.violations.length > 0) told.push(report.violations)
        return report
      },
    }
    const { outputText: code } = ts.transpileModule(example.replace(/^import .*\n/gm, ''), {
      compilerOptions: { target: ts.ScriptTarget.ES2023 },
    })
    const run = new Function(...Object.keys(parts), `return (async () => {\n${code}\n})()`) as (...given: unknown[]) => Promise<void>
    await run(...Object.values(parts))
    return { told, worlds }
  }

  test('the first example of a world has nothing wrong in it, with troubles and without', async () => {
    const [first = ''] = examples
    expect(first).toContain('seed <= 100')
    expect(await play(first, {})).toEqual({ told: [], worlds: 100 })
    expect(await play(first, { troubles: 0 })).toEqual({ told: [], worlds: 100 })
  }, 120_000)

  test('the upstream of your own has nothing wrong in it, whatever the seed', async () => {
    const own = examples.find((code) => code.includes('const weather')) ?? ''
    expect(await play(own, {})).toEqual({ told: [], worlds: 1 })
    for (let seed = 1; seed <= 30; seed += 1)
      expect(await play(own, { seed, troubles: seed % 3 === 0 ? 0 : 30 }), `${seed}`).toEqual({ told: [], worlds: 1 })
  }, 120_000)
})
