import type { TokenStore } from '@tokenwell/core'
import { type ConformanceOptions, describeTokenStore, virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { brokenStores, type Defect, type Defects } from './broken/broken-store.ts'
import { claimDefects } from './broken/claim.ts'
import { publishDefects } from './broken/publish.ts'
import { clockStepDefects, readDefects } from './broken/read.ts'
import { invalidateDefects, settleDefects } from './broken/settle.ts'
import { storeDefects } from './broken/store.ts'
import { subscribeDefects } from './broken/subscribe.ts'
import { textDefects } from './broken/text.ts'

const capabilities = { shared: false, durable: false, push: true }

const defects: Defects = {
  ...storeDefects,
  ...readDefects,
  ...claimDefects,
  ...publishDefects,
  ...settleDefects,
  ...invalidateDefects,
  ...textDefects,
  ...subscribeDefects,
  ...clockStepDefects,
}

/** The tests of the suite over a store that can do what is declared, and what it leaves out. */
function suite(options: Partial<ConformanceOptions> = {}, defect: Defect = {}) {
  const clock = virtualClock()
  const runs = new Map<string, () => Promise<void>>()
  const conformance = describeTokenStore({
    test: (name, run) => runs.set(name, run),
    capabilities,
    factory: () => ({ stores: brokenStores(clock, defect), close: async () => {} }),
    clock: { now: () => clock.wall(), pass: (ms) => clock.advance(ms), stepBack: (ms) => clock.stepWall(-ms) },
    ...options,
  })
  return { ...conformance, runs }
}

/** Names of the tests that fail. */
async function failures({ runs }: ReturnType<typeof suite>): Promise<string[]> {
  const failed: string[] = []
  for (const [name, run] of runs) await run().catch(() => failed.push(name))
  return failed
}

describe('the conformance suite', () => {
  test('passes a store that keeps the contract', async () => {
    expect(await failures(suite())).toEqual([])
  })

  test.each(Object.entries(defects))('fails a store that breaks one sentence: %s', async (name, defect) => {
    const expected = [name, ...(defect.also ?? [])]
    expect((await failures(suite({}, defect))).sort()).toEqual(expected.sort())
  })

  test('has seen every one of its sentences broken', () => {
    const { names } = suite()
    const broken = new Set(Object.entries(defects).flatMap(([name, { also = [] }]) => [name, ...also]))
    expect([...broken].sort()).toEqual([...names].sort())
  })

  test('names what it leaves out for want of a clock that can be set back', () => {
    const { names, notRun } = suite({ clock: { now: () => 0, pass: async () => {} } })
    expect(notRun.map(({ name }) => name)).toEqual(Object.keys(clockStepDefects))
    expect(new Set(notRun.map(({ why }) => why))).toEqual(new Set(['the clock given has no stepBack']))
    expect([...names, ...notRun.map(({ name }) => name)].sort()).toEqual([...suite().names].sort())
  })

  test('expects of a store that cannot push that it has no subscribe', async () => {
    const silent: Defect = {
      around: ({ subscribe: _, ...instance }) => ({ ...instance, capabilities: { ...capabilities, push: false } }),
    }
    const declared = { capabilities: { ...capabilities, push: false } }
    expect(await failures(suite(declared, silent))).toEqual([])
    expect(await failures(suite(declared))).toEqual([
      'store: it has the capabilities it was declared to have',
      'subscribe: a store that cannot push has no subscribe',
    ])
  })

  test('opens a durable store again', async () => {
    const clock = virtualClock()
    const durable = { ...capabilities, durable: true }
    const around = (instance: TokenStore): TokenStore => ({ ...instance, capabilities: durable })
    const options = (forgetful: boolean): Partial<ConformanceOptions> => ({
      capabilities: durable,
      clock: { now: () => clock.wall(), pass: (ms) => clock.advance(ms) },
      factory: () => {
        const stores = brokenStores(clock, { around })
        const [reopened] = forgetful ? brokenStores(clock, { around }) : stores
        return { stores, reopen: async () => reopened, close: async () => {} }
      },
    })
    expect(await failures(suite(options(false)))).toEqual([])
    expect(await failures(suite(options(true)))).toEqual(['durable: records outlive the instances that wrote them'])
  })

  test('closes what a test opened, also when the test fails', async () => {
    let open = 0
    const { runs } = suite({
      factory: () => {
        open++
        const stores = brokenStores(virtualClock(), {
          around: (instance) => ({ ...instance, read: () => Promise.reject(new Error('down')) }),
        })
        return {
          stores,
          close: async () => {
            open--
          },
        }
      },
    })
    await expect(runs.get('read: no keys give no snapshots')?.()).rejects.toThrow('down')
    expect(open).toBe(0)
  })
})
