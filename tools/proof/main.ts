/** `npm run proof`: searches every reachable state of the models in `proof/`, and then what happens without each of the rules. @module */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { branchFaults } from './branches.ts'
import { statementFaults } from './coverage.ts'
import { largeVerifications, sabotages, type Verification, verifications } from './models.ts'
import { provideToolchain } from './toolchain.ts'
import { type Outcome, verify } from './verifier.ts'

const MODELS = fileURLToPath(new URL('../../proof', import.meta.url))
/** Searches at a time: each may need a gigabyte. */
const AT_A_TIME = Math.max(2, Math.min(4, availableParallelism()))

const { values } = parseArgs({ options: { large: { type: 'boolean', default: false } } })

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort())

const started = performance.now()
const toolchain = provideToolchain()
const faults: string[] = []
const total = { states: 0, transitions: 0 }

function row(...cells: readonly (string | number)[]): void {
  const [name = '', ...rest] = cells.map(String)
  const widths = [22, 34, 12, 12, 7, 9]
  console.log(
    `${name.padEnd(44)}${rest.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('')}`,
  )
}

async function each<T extends Verification>(
  list: readonly T[],
  isLarge: boolean,
  tell: (item: T, outcome: Outcome) => void,
): Promise<Outcome[]> {
  const waiting = [...list]
  const outcomes: Outcome[] = []
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      const outcome = await verify(MODELS, toolchain, item, isLarge, interrupted.signal)
      outcomes.push(outcome)
      tell(item, outcome)
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
  } finally {
    waiting.length = 0
  }
  return outcomes
}

row('model', 'size', 'searched for', 'states', 'transitions', 'depth', 'seconds')
const tell = (item: Verification, outcome: Outcome) => {
  const { states, transitions, depth, seconds, violation, contradicts, incomplete } = outcome
  total.states += states
  total.transitions += transitions
  row(item.name, item.what, item.claim ?? 'assertions, deadlocks', states, transitions, depth, seconds.toFixed(1))
  if (violation !== undefined) faults.push(`${item.name}, ${item.what}: ${violation}: "${contradicts}"`)
  else if (incomplete !== undefined || outcome.errors > 0) faults.push(`${item.name}, ${item.what}: not a complete search: ${incomplete}`)
}
const searches = [...(await each(verifications, false, tell)), ...(values.large ? await each(largeVerifications, true, tell) : [])]

faults.push(...branchFaults(readFileSync(join(MODELS, 'store.pml'), 'utf8'), searches), ...statementFaults(searches))

console.log('\nwithout a rule of the protocol the proof fails:')
await each(sabotages, false, ({ name, breaks }, { violation, contradicts }) => {
  console.log(`${name.padEnd(24)}${breaks}\n${' '.repeat(24)}${violation === undefined ? 'NOT FOUND OUT' : `contradicts "${contradicts}"`}`)
  if (violation === undefined) faults.push(`${name} was not found out: ${breaks}`)
})

for (const fault of faults) console.error(`FAILED: ${fault}`)
const seconds = (performance.now() - started) / 1000
console.log(
  `\nproof ${faults.length === 0 ? 'holds' : 'FAILED'}: ${searches.length} searches, ${total.states} states, ${total.transitions} transitions, ` +
    `${sabotages.length} sabotages, ${seconds.toFixed(0)} s`,
)
process.exitCode = faults.length === 0 ? 0 : 1
