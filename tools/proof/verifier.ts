/** Runs Spin, the compiler and the verifier that they make, each search in a folder of its own. @module */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verification } from './models.ts'
import { type PanReport, readPanReport, type Statement, statementsOf } from './pan-report.ts'
import { failedAt, lineOfClaim, sentenceAbove } from './sentences.ts'
import type { Toolchain } from './toolchain.ts'

export interface Outcome extends PanReport {
  readonly statements: ReadonlyMap<number, Statement>
  /** What the counterexample contradicts. Absent where none was found. */
  readonly contradicts?: string
}

/** One search, from Spin to its end, milliseconds. */
const PATIENCE_MS = 600_000
/** Steps of one run, many times what any takes; a search that comes here is not complete. */
const DEPTH = 20_000
/** Above this a search fails instead of taking the machine with it. Megabytes. */
const MEMORY_MB = 6_000
/** Spin otherwise makes one transition of statements in a row, and what has become of the later ones is not told. */
const UNMERGED = '-o3'
/** The verifier tells at its end which statements were executed. */
const COUNTED = '-DPEG'
/** Processes of a model, in the unit in which the verifier counts them for fairness. */
const FAIRNESS = 4

/** `isLarge`: searched for long enough to be worth an optimised verifier, and too large to be kept as it is. */
export async function verify(
  folderOfModels: string,
  { spin, compiler }: Toolchain,
  { model, defines, claim }: Verification,
  isLarge: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-proof-'))
  const run = (command: string, args: readonly string[]) => output(command, args, folder, signal)
  try {
    cpSync(folderOfModels, folder, { recursive: true })
    const switches = [...defines, ...(claim === undefined ? [] : ['LIVENESS'])].map((define) => `-D${define}`)
    const file = `${model}.pml`
    const made = await run(spin, [UNMERGED, '-a', ...switches, file])
    if (made.code !== 0) throw new Error(`spin does not take ${file} with ${switches.join(' ')}: ${made.text}`)
    // Nothing is reduced: nearly every step touches what all share, so there is nothing to win, and nothing to argue about.
    const search = claim === undefined ? ['-DSAFETY', '-DNOCLAIM'] : [`-DNFAIR=${FAIRNESS}`]
    const size = isLarge ? ['-O2', '-DCOLLAPSE'] : ['-O0']
    const flags = [...size, '-w', COUNTED, '-DNOREDUCE', '-DVECTORSZ=512', `-DMEMLIM=${MEMORY_MB}`, ...search]
    const compiled = await run(compiler, [...flags, '-o', 'pan', 'pan.c'])
    if (compiled.code !== 0) throw new Error(`the verifier of ${file} does not compile: ${compiled.text}`)
    const { text } = await run(join(folder, 'pan'), [
      `-m${DEPTH}`,
      isLarge ? '-w24' : '-w20',
      ...(claim === undefined ? [] : ['-a', '-f', '-N', claim]),
    ])
    const report = readPanReport(text)
    const source = (name: string) => readFileSync(join(folder, name), 'utf8')
    const statements = statementsOf(source('pan.m'))
    if (report.violation === undefined) return { ...report, statements }
    if (report.violation.includes('acceptance cycle') && claim !== undefined) {
      return { ...report, statements, contradicts: sentenceAbove(source(file), lineOfClaim(source(file), claim)) }
    }
    const replay = await run(spin, [UNMERGED, '-t', ...switches, file])
    const at = failedAt(replay.text)
    return { ...report, statements, contradicts: at === undefined ? report.violation : sentenceAbove(source(at.file), at.line) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function output(
  command: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    let text = ''
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS, killSignal: 'SIGKILL', signal })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}
