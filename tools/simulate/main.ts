import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { shrink, simulate } from '@tokenwell/testkit'
import { coverageProblems, getsProblems } from './coverage.ts'
import { digest, play } from './play.ts'
import { playAll } from './play-all.ts'
import { withStrays } from './strays.ts'
import { HOURS, NODES, worldOf } from './worlds.ts'

const USAGE = `usage: npm run simulate [-- options]

  --seeds N      how many worlds to play (default 300)
  --first F      the first seed (default 1)
  --seed S       replays one world: its history, and if something is wrong in it, the least that still goes wrong
  --bail         stops at the first world in which something is wrong
  --coverage     also fails if a kind of fault was rare, or a way through the machine or the contract was never taken
  --least-gets G also fails if each process was asked for fewer tokens than so many in a virtual minute
  --within T     also fails if it took longer than so many seconds
  --counts       prints all that was counted
  --workers W    threads (default: one for each core)`

const number = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: number,
      first: number,
      seed: number,
      workers: number,
      bail: flag,
      coverage: flag,
      counts: flag,
      'least-gets': number,
      within: number,
      help: flag,
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  if (values.seed !== undefined) return replay(whole('seed', values.seed))
  const seeds = whole('seeds', values.seeds ?? '300')
  const first = whole('first', values.first ?? '1')
  const leastGets = whole('least-gets', values['least-gets'] ?? '0')
  const workers = whole('workers', values.workers ?? `${availableParallelism()}`)
  const within = values.within === undefined ? Number.POSITIVE_INFINITY : whole('within', values.within)
  const started = performance.now()
  const { wrong, counts, played } = await playAll({ first, seeds, workers, bail: values.bail, say: console.log })
  const seconds = (performance.now() - started) / 1_000

  if (values.counts) for (const [what, count] of [...counts].sort()) console.log(`${what}: ${count}`)
  for (const { seed, violations } of wrong.slice(0, 10)) console.log(`seed ${seed}: ${violations.join('; ')}`)
  const gets = counts.get('gets') ?? 0
  const getsEach = gets / played / NODES / HOURS / 60
  const problems = [
    ...(values.coverage ? coverageProblems(counts, played) : []),
    ...getsProblems(getsEach, leastGets),
    ...(seconds > within ? [`it took ${seconds.toFixed(0)} s, more than ${within}`] : []),
  ]
  for (const problem of problems) console.log(problem)
  const faults = [...counts].filter(([what]) => what.startsWith('fault ')).reduce((sum, [, count]) => sum + count, 0)
  console.log(
    `${played} worlds of ${NODES} processes and ${HOURS} hours in ${seconds.toFixed(0)} s: ${gets} gets ` +
      `(${getsEach.toFixed(1)} per process and minute), ${faults} faults, ${wrong.length} worlds with violations`,
  )
  const [worst] = wrong
  if (worst !== undefined) await explain(worst.seed)
  return wrong.length > 0 || problems.length > 0 ? 1 : 0
}

async function replay(seed: number): Promise<number> {
  const report = await play(worldOf(seed))
  console.log(report.history.join('\n'))
  if (report.violations.length > 0) await explain(seed)
  return report.violations.length > 0 ? 1 : 0
}

/** Plays a world again to see that it is the same, and looks for the least that still goes wrong in it. */
async function explain(seed: number): Promise<void> {
  const world = worldOf(seed)
  const [one, again] = [await play(world), await play(world)]
  if (digest(one) !== digest(again)) console.log(`seed ${seed} is not the same twice`)
  const { value: shrunk } = await withStrays(async () => ((await simulate(world)).violations.length > 0 ? shrink(world) : undefined))
  if (shrunk === undefined) {
    console.log(`what is wrong in seed ${seed} is nothing that a world checks, and is not made small: npm run simulate -- --seed ${seed}`)
    return
  }
  const { options, report, runs } = shrunk
  console.log(`\nseed ${seed}, made small in ${runs} runs: ${options.nodes} processes, ${options.hours} hours, and`)
  for (const trouble of report.plan) console.log(`  ${JSON.stringify(trouble)}`)
  console.log('what happened before it went wrong:')
  const at = report.history.findIndex((line) => line.includes('VIOLATION'))
  for (const line of report.history.slice(Math.max(0, at - 40), at + 1)) console.log(`  ${line}`)
  console.log(`all of it: npm run simulate -- --seed ${seed}`)
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`--${name} takes a whole number, got ${text}`)
  return Number(text)
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 2
})
