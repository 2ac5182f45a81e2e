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
 * @throws Error when a ratio or a figure is no number: nothing could be held against it later
 */
export function record(name: string, report: Recorded, names: readonly string[]): void {
  const broken = report.limits.find(({ ratio }) => !Number.isFinite(ratio))
  if (broken !== undefined) throw new Error(`${name}: ${broken.what}: ${broken.ratio} is no ratio to record`)
  const unmeasured = report.figures?.find(({ each }) => each.length === 0 || !each.every(Number.isFinite))
  if (unmeasured !== undefined) throw new Error(`${name}: ${unmeasured.what}: ${unmeasured.each.join(', ')} is nothing to record`)
  mkdirSync(RECORDS, { recursive: true })
  writeFileSync(new URL(`${name}.json`, RECORDS), json(report))
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

/** With the figures of all rounds in one line. */
function json(report: Recorded): string {
  const text = JSON.stringify(report, undefined, 2)
  // A text within it has no line that is broken.
  return `${text.replaceAll(/\[\n\s+(-?\d[^[\]{}"]*?)\s+\]/g, (_, numbers: string) => `[${numbers.replaceAll(/\s+/g, ' ')}]`)}\n`
}
