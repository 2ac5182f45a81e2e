import { memoryStore } from '@tokenwell/store-memory'
import { type Scenario, type SimulationOptions, shrink, simulate } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { brief } from '../../../tools/simulate/worlds.ts'
import { storeWith } from '../../store-memory/src/memory-store.ts'
import { careless } from './support/careless.ts'

const scenario = brief()

async function firstWrong(): Promise<SimulationOptions> {
  for (let seed = 1; seed <= 60; seed += 1) {
    const options: SimulationOptions = { seed, scenario, troubles: 40, hours: 3, store: (clock) => storeWith(careless, { clock }) }
    if ((await simulate(options)).violations.length > 0) return options
  }
  throw new Error('no seed goes wrong')
}

test('a world in which something is wrong is made small, and what is left goes wrong whenever it is played', async () => {
  const { options, report, runs } = await shrink(await firstWrong())
  expect(report.violations.length).toBeGreaterThan(0)
  expect(report.plan.length).toBeLessThanOrEqual(10)
  expect(runs).toBeLessThanOrEqual(400)
  const again = await simulate(options)
  expect(again.history).toEqual(report.history)
}, 300_000)

test('another thing that goes wrong is not what is made small', async () => {
  const telling: Scenario = {
    faults: ['one', 'other'],
    begin(surroundings) {
      const begun = scenario.begin(surroundings)
      const names: Readonly<Record<string, string>> = { one: 'came', other: 'went' }
      return {
        start: (process) => begun.start(process),
        trouble(fault) {
          const { now, violate } = surroundings
          // The same whenever it is, and whoever does it.
          violate(`n${Math.floor(now()) % 5}: n0.x${Math.floor(now()).toString(36)}.1 ${names[fault]} ${now()} ms late`)
          return () => {}
        },
      }
    },
  }
  const at = (minutes: number, kind: string) => ({ at: minutes * 60_000 + minutes, forMs: 60_000, on: 'upstream', kind }) as const
  const plan = [at(10, 'one'), at(11, 'one'), at(12, 'other'), at(13, 'other'), at(14, 'other')]
  const { report } = await shrink({ seed: 1, scenario: telling, plan, hours: 1, store: (clock) => memoryStore({ clock }) })
  expect(report.plan.map(({ kind }) => kind)).toEqual(['one'])
  expect(report.violations).toHaveLength(1)
}, 60_000)

test('the search ends where it is told to, with what it has', async () => {
  const { options, report, runs } = await shrink(await firstWrong(), { runs: 3 })
  expect(runs).toBe(3)
  expect((await simulate(options)).violations).toEqual(report.violations)
}, 300_000)

test('there is nothing to make small in a world in which nothing is wrong', async () => {
  const fine = shrink({ seed: 1, scenario, troubles: 0, hours: 1, store: (clock) => memoryStore({ clock }) })
  await expect(fine).rejects.toThrow('seed 1 reports no violation')
})
