import diagnosticsChannel from 'node:diagnostics_channel'
import type { MachineStep } from '@tokenwell/core'
import { type SimulationReport, simulate } from '@tokenwell/testkit'
import { worldOf } from './worlds.ts'

/** What became of some seeds. */
export interface Tally {
  readonly seeds: readonly number[]
  /** Of those in which something was that must not be: the seed, and what was. */
  readonly wrong: readonly { readonly seed: number; readonly violations: readonly string[] }[]
  readonly counts: ReadonlyMap<string, number>
}

/** Plays the worlds of some seeds, one after the other. Machine steps are counted as `edge from happening to`. */
export async function tally(seeds: readonly number[], { bail = false }: { readonly bail?: boolean } = {}): Promise<Tally> {
  const counts = new Map<string, number>()
  const wrong: { seed: number; violations: readonly string[] }[] = []
  const count = (what: string, by = 1) => counts.set(what, (counts.get(what) ?? 0) + by)
  const step = (message: unknown) => {
    const { from, happening, to } = message as MachineStep
    count(`edge ${from} ${happening} ${to}`)
  }
  diagnosticsChannel.subscribe('tokenwell:step', step)
  try {
    for (const seed of seeds) {
      const report: SimulationReport = await simulate(worldOf(seed))
      for (const [what, by] of report.counts) count(what, by)
      if (report.violations.length > 0) wrong.push({ seed, violations: report.violations })
      if (bail && wrong.length > 0) break
    }
  } finally {
    diagnosticsChannel.unsubscribe('tokenwell:step', step)
  }
  return { seeds, wrong, counts }
}
