import { join } from 'node:path'
import { sabotages } from '../proof/models.ts'
import { provideToolchain, type Toolchain } from '../proof/toolchain.ts'
import { verify } from '../proof/verifier.ts'
import type { Check, Mutation } from './mutation.ts'
import { run } from './run.ts'
import { playVerdict, testVerdict, type Verdict } from './verdict.ts'

export interface CheckOptions {
  /** Where the copy is. */
  readonly folder: string
  /** Worlds to play at most. */
  readonly seeds: number
  readonly first: number
  readonly signal: AbortSignal
}

/** One check of one mutation; without a mutation what is run must pass. Milliseconds. */
const PATIENCE_MS = 600_000

/** Runs test files up to the first test that fails. */
export async function test(files: readonly string[], { folder, signal }: CheckOptions): Promise<Verdict> {
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const ended = await run(process.execPath, [vitest, 'run', '--bail', '1', ...files], { cwd: folder, patienceMs: PATIENCE_MS, signal })
  return testVerdict(ended)
}

/** Plays worlds until something is wrong in one. Which that is depends on the threads, too. */
export async function simulate({ folder, seeds, first, signal }: CheckOptions): Promise<Verdict> {
  const args = ['--import', './tools/sources.mjs', join('tools', 'sabotage', 'play.ts'), `${seeds}`, `${first}`]
  const ended = await run(process.execPath, args, { cwd: folder, patienceMs: PATIENCE_MS, signal })
  return playVerdict(ended)
}

const searched = new Map<string, Promise<Verdict>>()
let toolchain: Toolchain | undefined

/** Searches the model with the rule taken out. Several mutations may be one there: it is searched once. */
function model(name: string, { folder, signal }: CheckOptions): Promise<Verdict> {
  const known = searched.get(name) ?? search(name, folder, signal)
  searched.set(name, known)
  return known
}

async function search(name: string, folder: string, signal: AbortSignal): Promise<Verdict> {
  const sabotage = sabotages.find((each) => each.name === name)
  if (sabotage === undefined) throw new RangeError(`no model has a switch ${name}`)
  toolchain ??= provideToolchain()
  const { violation, contradicts, incomplete } = await verify(join(folder, 'proof'), toolchain, sabotage, false, signal)
  if (violation !== undefined) return { outcome: 'caught', by: `contradicts "${contradicts}"` }
  return incomplete === undefined ? { outcome: 'missed', by: '' } : { outcome: 'broke', by: `not a complete search: ${incomplete}` }
}

export async function check(kind: Check, mutation: Mutation, options: CheckOptions): Promise<Verdict> {
  switch (kind) {
    case 'unit':
      return test(mutation.unit ?? [], options)
    case 'conformance':
      return test(mutation.conformance ?? [], options)
    case 'simulation':
      return simulate(options)
    case 'model':
      return model(mutation.model ?? '', options)
  }
}
