// `npm run bench`; see USAGE.
import { parseArgs } from 'node:util'
import type { Benchmark } from './benchmark.ts'
import { gate } from './gate.ts'
import { hotPath } from './hot-path/index.ts'
import { thisMachine } from './measure/machine.ts'
import { times } from './report/figure.ts'
import { record } from './report/records.ts'
import { holds } from './report/report.ts'
import { rotation } from './rotation/index.ts'
import { scale } from './scale/index.ts'
import { coldStampede } from './stampede/index.ts'
import { startUp } from './start-up/index.ts'
import { storeOperations } from './store-operations/index.ts'

const BENCHMARKS: readonly Benchmark[] = [hotPath, coldStampede, rotation, storeOperations, scale, startUp]

const USAGE = `usage: npm run bench [-- <name> …] [--rounds 7] [--gate]

  ${BENCHMARKS.map(({ name }) => name).join(', ')}; default: all
  --rounds  how often each contender is measured, in turn with the others
  --gate    writes nothing; fails if a ratio is much greater than the one recorded in docs/benchmarks`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '7' }, gate: { type: 'boolean', default: false }, help: { type: 'boolean' } },
  })
  const rounds = Number(values.rounds)
  const chosen = positionals.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => positionals.includes(name))
  if (values.help || !Number.isInteger(rounds) || rounds < 1 || chosen.length < positionals.length) {
    console.error(USAGE)
    return 2
  }
  const progress = (what: string) => console.log(`  ${what}`)
  if (values.gate) return (await gate(chosen, progress)) ? 0 : 1
  let isMissed = false
  for (const { name, measure } of chosen) {
    console.log(name)
    const report = await measure({ rounds, ownOnly: false, progress })
    const date = new Date().toISOString().slice(0, 10)
    record(
      name,
      { ...report, machine: thisMachine(), date },
      BENCHMARKS.map((each) => each.name),
    )
    for (const limit of report.limits) {
      if (!holds(limit)) isMissed = true
      console.log(`  ${holds(limit) ? '✓' : '✗'} ${limit.what}: ${times(limit.ratio)}, at most ${times(limit.most)}`)
    }
  }
  return isMissed ? 1 : 0
}

process.exitCode = await main()
