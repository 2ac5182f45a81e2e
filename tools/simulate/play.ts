import { createHash } from 'node:crypto'
import { type SimulationOptions, type SimulationReport, simulate } from '@tokenwell/testkit'
import { withStrays } from './strays.ts'

/** Plays a world. Whatever is thrown in it is a violation of its seed, wherever it comes up. */
export async function play(world: SimulationOptions): Promise<SimulationReport> {
  const { value: report, strays } = await withStrays(() => simulate(world).catch((error: unknown) => unplayed(world, error)))
  if (strays.length === 0) return report
  const history = [...report.history, ...strays.map((what) => `at some time VIOLATION ${what}`)]
  return { ...report, violations: [...report.violations, ...strays], history }
}

/** Two worlds in which the same has happened, byte for byte, have the same. */
export function digest({ history }: SimulationReport): string {
  return createHash('sha256').update(history.join('\n')).digest('hex')
}

function unplayed({ seed }: SimulationOptions, error: unknown): SimulationReport {
  const what = `the world could not be played: ${String(error)}`
  return { seed, violations: [what], plan: [], history: [`VIOLATION ${what}`], counts: new Map() }
}
