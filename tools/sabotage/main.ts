/** `npm run sabotage`: takes one rule after the other out of a copy of the code, and shows what notices. @module */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type CheckOptions, check, simulate, test } from './checks.ts'
import { copyOf } from './copy.ts'
import { mutations } from './list/index.ts'
import { CHECKS, type Check, CODE_CHECKS, checksOf, type Mutation } from './mutation.ts'
import { type Row, summary } from './summary.ts'
import type { Verdict } from './verdict.ts'

const USAGE = `usage: npm run sabotage [-- options]

  --only NAME       only those mutations that have this in their names or files; may be given again
  --checks A,B      only these checks: ${CHECKS.join(', ')}
  --seeds N         how many worlds the simulation plays at most (default 1000)
  --first F         the first seed (default 1)
  --list            says what there is, and changes nothing`

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      checks: { type: 'string', default: CHECKS.join(',') },
      seeds: { type: 'string', default: '1000' },
      first: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const asked = values.checks.split(',')
  const unknown = asked.find((name) => !(CHECKS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new TypeError(`--checks takes ${CHECKS.join(', ')}; got ${unknown}`)
  const checksFor = (mutation: Mutation) => checksOf(mutation).filter((each) => asked.includes(each))
  const chosen = mutations.filter(
    (mutation) =>
      // Those that the simulation cannot meet are counted beside what it found.
      (checksFor(mutation).length > 0 || (asked.includes('simulation') && mutation.unplayed !== undefined)) &&
      (values.only.length === 0 || values.only.some((part) => `${mutation.name} ${mutation.file}`.includes(part))),
  )
  if (chosen.length === 0) throw new TypeError('no mutation is left to try')
  if (values.list) {
    for (const { name, file, breaks } of chosen) console.log(`${name}\n  ${file}: ${breaks}`)
    return 0
  }

  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)))
  }
  const copy = copyOf(ROOT)
  try {
    const options: CheckOptions = {
      folder: copy.folder,
      seeds: whole('seeds', values.seeds),
      first: whole('first', values.first),
      signal: interrupted.signal,
    }
    const failing = await unbroken(chosen, checksFor, options)
    if (failing !== undefined) {
      console.error(`Nothing was changed, and it fails: ${failing}`)
      return 1
    }
    const rows: Row[] = []
    for (const mutation of chosen) {
      const mend = copy.apply(mutation)
      const verdicts = new Map<Check, Verdict>()
      for (const kind of checksFor(mutation)) verdicts.set(kind, await check(kind, mutation, options))
      mend()
      const row = { mutation, verdicts }
      rows.push(row)
      tell(row)
    }
    const { lines, isGood } = summary(rows)
    console.log(`\n${lines.join('\n')}`)
    return isGood ? 0 : 1
  } finally {
    copy.remove()
  }
}

/** Runs all checks on what is not broken. @returns what fails there: it would seem to catch everything */
async function unbroken(
  chosen: readonly Mutation[],
  checksFor: (mutation: Mutation) => readonly Check[],
  options: CheckOptions,
): Promise<string | undefined> {
  const files = new Set<string>()
  let isPlayed = false
  for (const mutation of chosen) {
    for (const kind of checksFor(mutation)) {
      if (kind === 'unit' || kind === 'conformance') for (const file of mutation[kind] ?? []) files.add(file)
      if (kind === 'simulation') isPlayed = true
    }
  }
  const tested = files.size === 0 ? undefined : await test([...files], options)
  if (tested !== undefined && tested.outcome !== 'missed') return tested.by
  const played = isPlayed ? await simulate(options) : undefined
  return played === undefined || played.outcome === 'missed' ? undefined : played.by
}

const WORDS = { caught: 'CAUGHT', missed: 'missed', broke: 'BROKE' } as const

function tell({ mutation: { name, breaks, unplayed }, verdicts }: Row): void {
  const cell = (kind: Check) => {
    const verdict = verdicts.get(kind)
    return `${kind} ${verdict === undefined ? '·' : WORDS[verdict.outcome]}`.padEnd(20)
  }
  console.log(`${name.padEnd(40)}${CODE_CHECKS.map(cell).join('')}| ${cell('model')}${breaks}`)
  for (const [kind, { outcome, by }] of verdicts) if (outcome !== 'missed') console.log(`    ${kind}: ${by}`)
  if (unplayed !== undefined) console.log(`    not simulated: ${unplayed}`)
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`--${name} takes a whole number, got ${text}`)
  return Number(text)
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 2
})
