import { join } from 'node:path'
import { sabotages } from '../proof/models.ts'
import { provideToolchain, type Toolchain } from '../proof/toolchain.ts'
import { verify } from '../proof/verifier.ts'
import type { Check, Mutation } from './mutation.ts'
import { type Ended, run } from './run.ts'

/** What a check made of what it was run on. */
export interface Verdict {
  readonly isCaught: boolean
  /** What caught it, or why the check came to nothing. */
  readonly by: string
}

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

/** Runs test files; the exit code says whether all passed. */
export async function test(files: readonly string[], { folder, signal }: CheckOptions): Promise<Verdict> {
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const ended = await run(process.execPath, [vitest, 'run', '--bail', '1', ...files], { cwd: folder, patienceMs: PATIENCE_MS, signal })
  return verdict(ended, /^ *FAIL +(.*)$/m)
}

/** Plays worlds one after the other until something is wrong in one. */
export async function simulate({ folder, seeds, first, signal }: CheckOptions): Promise<Verdict> {
  const args = ['--import', './tools/sources.mjs', join('tools', 'sabotage', 'play.ts'), `${seeds}`, `${first}`]
  const ended = await run(process.execPath, args, { cwd: folder, patienceMs: PATIENCE_MS, signal })
  return verdict(ended, /^(seed .*)$/m)
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
  const { violation, contradicts } = await verify(join(folder, 'proof'), toolchain, sabotage, false, signal)
  return { isCaught: violation !== undefined, by: contradicts === undefined ? '' : `contradicts "${contradicts}"` }
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

function verdict({ code, output }: Ended, what: RegExp): Verdict {
  if (code === undefined) return { isCaught: true, by: `it did not end within ${PATIENCE_MS / 1_000} s` }
  if (code === 0) return { isCaught: false, by: '' }
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  return { isCaught: true, by: what.exec(output)?.[1] ?? `exit code ${code}: ${last}` }
}
