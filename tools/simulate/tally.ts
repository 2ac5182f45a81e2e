import diagnosticsChannel from 'node:diagnostics_channel'
import type { MachineStep } from '@tokenwell/core'
import type { SimulationOptions } from '@tokenwell/testkit'
import { digest, play } from './play.ts'
import { worldOf } from './worlds.ts'

/** What became of some seeds. */
export interface Tally {
  readonly seeds: readonly number[]
  /** Of those in which something was that must not be: the seed, and what was. */
  readonly wrong: readonly { readonly seed: number; readonly violations: readonly string[] }[]
  readonly counts: ReadonlyMap<string, number>
}

/** One seed in a hundred is played twice: two neighbours, since there are worlds of two kinds. */
const isPlayedTwice = (seed: number) => seed % 200 < 2

/** Plays the worlds of some seeds, one after the other. Machine steps are counted as `edge from happening to`. */
export async function tally(seeds: readonly number[], world: (seed: number) => SimulationOptions = worldOf): Promise<Tally> {
  const counts = new Map<string, number>()
  const wrong: { seed: number; violations: readonly string[] }[] = []
  const count = (what: string, by = 1) => counts.set(what, (counts.get(what) ?? 0) + by)
  const step = (message: unknown) => {
    const { from, happening, to } = message as MachineStep
    count(`edge ${from} ${happening} ${to}`)
  }
  for (const seed of seeds) {
    diagnosticsChannel.subscribe('tokenwell:step', step)
    const report = await play(world(seed)).finally(() => diagnosticsChannel.unsubscribe('tokenwell:step', step))
    for (const [what, by] of report.counts) count(what, by)
    const violations = [...report.violations]
    if (isPlayedTwice(seed)) {
      count('played twice')
      if (digest(await play(world(seed))) !== digest(report)) violations.push('it is not the same twice')
    }
    if (violations.length > 0) wrong.push({ seed, violations })
  }
  return { seeds, wrong, counts }
}
