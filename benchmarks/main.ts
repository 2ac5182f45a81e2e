// `npm run bench`; see USAGE.
import { parseArgs } from 'node:util'
import { BENCHMARKS } from './benchmarks.ts'
import { gate } from './gate.ts'
import { thisCode } from './measure/code.ts'
import { thisMachine } from './measure/machine.ts'
import { programsHash } from './measure/programs.ts'
import { times } from './report/figure.ts'
import { record } from './report/records.ts'
import { holds } from './report/report.ts'

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
  for (const { name, title, how, programs, isOnce, measure } of chosen) {
    console.log(name)
    // Both as they are before hours pass.
    const measured = { code: thisCode(), programs: programsHash(programs) }
    const measurement = await measure({ rounds, ownOnly: false, progress })
    const date = new Date().toISOString().slice(0, 10)
    record(
      name,
      { title, how, ...measurement, machine: thisMachine(), date, ...measured, rounds: isOnce ? 1 : rounds },
      BENCHMARKS.map((each) => each.name),
    )
    for (const limit of measurement.limits) {
      if (!holds(limit)) isMissed = true
      console.log(`  ${holds(limit) ? '✓' : '✗'} ${limit.what}: ${times(limit.ratio)}, at most ${times(limit.most)}`)
    }
  }
  return isMissed ? 1 : 0
}

process.exitCode = await main()
