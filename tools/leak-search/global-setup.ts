import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FOLDER_VARIABLE } from './index.ts'
import type { Secret } from './needles.ts'
import { type Entry, type Find, search } from './search.ts'

/** More than this says nothing new. */
const SHOWN = 20

/** The lines that all workers wrote, file by file: a run's transcript can be large. */
function* lines<T>(folder: string, kind: string): Generator<T> {
  for (const file of readdirSync(folder).sort()) {
    if (!file.startsWith(`${kind}-`)) continue
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) if (line !== '') yield JSON.parse(line) as T
  }
}

function report(finds: readonly Find[]): string {
  const shown = finds.slice(0, SHOWN).map(({ label, form, source, test }) => `  ${label} (${form}) in ${source}, during ${test}`)
  const more = finds.length > SHOWN ? [`  and ${finds.length - SHOWN} more`] : []
  return ['leak search: a registered secret can be seen', ...shown, ...more].join('\n')
}

/** Before the run: an empty transcript for the workers. After it: the search. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-leak-search-'))
  process.env[FOLDER_VARIABLE] = folder
  return () => {
    try {
      const finds = search(lines<Entry>(folder, 'transcript'), lines<Secret>(folder, 'secrets'))
      if (finds.length === 0) return
      process.exitCode = 1
      throw new Error(report(finds))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
