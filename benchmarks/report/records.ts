import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { svg } from './chart.ts'
import { page } from './markdown.ts'
import type { Recorded } from './report.ts'

const DOCS = new URL('../../docs/', import.meta.url)
const RECORDS = new URL('benchmarks/', DOCS)

/** What was recorded last; undefined if nothing was. */
export function recorded(name: string): Recorded | undefined {
  const file = new URL(`${name}.json`, RECORDS)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Recorded) : undefined
}

/**
 * Records a report, and writes the page of all anew.
 * @param names in the order of the page
 * @throws Error when a ratio is no number: nothing could be held against it later
 */
export function record(name: string, report: Recorded, names: readonly string[]): void {
  const broken = report.limits.find(({ ratio }) => !Number.isFinite(ratio))
  if (broken !== undefined) throw new Error(`${name}: ${broken.what}: ${broken.ratio} is no ratio to record`)
  mkdirSync(RECORDS, { recursive: true })
  writeFileSync(new URL(`${name}.json`, RECORDS), `${JSON.stringify(report, undefined, 2)}\n`)
  for (const chart of report.charts) writeFileSync(new URL(`${chart.name}.svg`, RECORDS), svg(chart))
  writeFileSync(fileURLToPath(new URL('BENCHMARKS.md', DOCS)), page(recordedAll(names)))
}

/** What was recorded last of each of these, but of those of which nothing was. */
export function recordedAll(names: readonly string[]): ReadonlyMap<string, Recorded> {
  return new Map(
    names.flatMap((name) => {
      const known = recorded(name)
      return known === undefined ? [] : [[name, known] as const]
    }),
  )
}
