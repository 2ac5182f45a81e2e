import { memoryStore } from '@tokenwell/store-memory'
import { mintedToken, type SimulationOptions, simulate, type Trouble } from '@tokenwell/testkit'
import { expect, test } from 'vitest'

const fine: SimulationOptions = { seed: 1, store: (clock) => memoryStore({ clock }), scenario: mintedToken(), nodes: 2, hours: 1 }
const down: Trouble = { at: 60_000, forMs: 1_000, on: 'store', kind: 'down', byMs: 0 }
const lost: Trouble = { at: 60_000, forMs: 1_000, on: 'wire', kind: 'lost-reply', to: 'store', node: 1, probability: 0.5 }

/** What a program without types may hand in. */
function wrong(changes: Readonly<Record<string, unknown>>): Promise<unknown> {
  return simulate({ ...fine, ...changes } as unknown as SimulationOptions)
}

test('a world is played with options as they should be', async () => {
  const { violations, plan } = await simulate({ ...fine, troubles: 0, plan: [down, lost, { ...down, on: 'upstream', kind: 'outage' }] })
  expect(violations).toEqual([])
  expect(plan).toHaveLength(3)
})

test.each([
  [{ seed: Number.NaN }, 'seed: expected a safe integer, got NaN'],
  [{ seed: 1.5 }, 'seed: expected a safe integer, got 1.5'],
  [{ store: memoryStore() }, 'store: expected a function that opens a store on a clock, got object'],
  [{ scenario: {} }, 'scenario: expected an object with faults and begin(), got object'],
  [{ scenario: undefined }, 'scenario: expected an object with faults and begin(), got undefined'],
  [{ nodes: 0 }, 'nodes: expected a whole number from 1 to 100, got 0'],
  [{ nodes: 1.5 }, 'nodes: expected a whole number from 1 to 100, got 1.5'],
  [{ nodes: 101 }, 'nodes: expected a whole number from 1 to 100, got 101'],
  [{ hours: 0.5 }, 'hours: expected a number from 1 to 1000, got 0.5'],
  [{ hours: '6' }, 'hours: expected a number from 1 to 1000, got "6"'],
  [{ troubles: -3 }, 'troubles: expected a whole number from 0 to 100000, got -3'],
  [{ node: 3 }, 'simulate: there is no option "node"; it takes seed, store, scenario, nodes, hours, troubles, plan'],
  [{ plan: down }, 'plan: expected an array, got object'],
])('%j is refused', async (changes, message) => {
  await expect(wrong(changes)).rejects.toThrow(new TypeError(message))
})

test.each([
  [{ ...down, on: 'shop' }, 'plan[1].on: expected one of wire, process, holder, store, upstream, got "shop"'],
  [{ ...down, kind: 'downn' }, /^plan\[1\]\.kind: expected one of stall, down, .*, got "downn"$/],
  [{ ...down, on: 'upstream', kind: 'outtage' }, /^plan\[1\]\.kind: expected one of outage, .*, got "outtage"$/],
  [{ ...down, at: 1_300_000 }, 'plan[1].at: expected milliseconds from 0 to 1200000, as the rest is quiet, got 1300000'],
  [{ ...down, forMs: 1_140_001 }, 'plan[1].forMs: expected milliseconds from 0 to 1140000, as the rest is quiet, got 1140001'],
  [{ ...down, byMs: -1 }, 'plan[1].byMs: expected milliseconds from 0 to 9007199254740991, got -1'],
  [{ ...down, byMs: undefined }, 'plan[1].byMs: expected milliseconds from 0 to 9007199254740991, got undefined'],
  [{ ...down, kind: 'rollback', byMs: 60_001 }, 'plan[1].byMs: expected milliseconds from 0 to 60000, got 60001'],
  [{ ...down, on: 'process', kind: 'wall-step', byMs: undefined }, 'plan[1].byMs: expected a finite number of milliseconds, got undefined'],
  [{ ...down, nodes: 1 }, 'plan[1]: there is no "nodes"; it takes at, forMs, on, kind, byMs, node, to, probability'],
  [{ ...lost, node: 2 }, 'plan[1].node: expected a whole number from 0 to 1, got 2'],
  [{ ...lost, to: 'shop' }, 'plan[1].to: expected "store" or "upstream", got "shop"'],
  [{ ...lost, probability: 2 }, 'plan[1].probability: expected a number from 0 to 1, got 2'],
  [null, 'plan[1]: expected an object, got null'],
])('a plan with %j is refused', async (trouble, message) => {
  await expect(wrong({ plan: [down, trouble] })).rejects.toThrow(TypeError)
  await expect(wrong({ plan: [down, trouble] })).rejects.toThrow(message)
})
