import type { Benchmark } from '../benchmark.ts'
import { bundles } from './bundles.ts'
import { importing, type Measured } from './measured.ts'
import { Results } from './results.ts'
import { BARE, ENTRIES, NEEDS, OTHERS, type Subject } from './subjects.ts'

/** Of each round. */
const TURNS = 5

const HOW = `What a program pays before its first call: a process that imports the built ESM of one or some packages and does nothing else, a new one
for each figure, in turn with one that imports nothing. Time is of all imports, with the files in the system's cache and nothing compiled
beforehand; heap is after a collection and resident memory (RSS) before it, both beyond the process that imports nothing. Ratios are to that
process: of the processor time of the imports to that of its start, and of the heap to its own. Stores import no client of a database: the
program hands them its own, so it is named where it is in what was measured. What ours need of node and of others is measured by itself as well:
most of what they take is that. Each is imported ${TURNS} times in a round, in turn with the others; figures are medians of all turns with the least and the greatest of them. p99 is of
the turns of a round, near the slowest of ${TURNS}, and the median of the rounds with the least and the greatest of these.`

export const startUp: Benchmark = {
  name: 'start-up',
  title: 'Start-up',
  how: HOW,
  programs: [new URL('measured.ts', import.meta.url)],
  async measure({ rounds, ownOnly, progress }) {
    const own = [...NEEDS.keys(), ...NEEDS.values()]
    const subjects = ownOnly ? [BARE, ...own] : [BARE, ...ENTRIES, ...own, ...OTHERS]
    // The first of all finds no file in the system's cache.
    for (const { modules } of subjects) await importing(modules)
    const measured = new Map<Subject, Measured[]>(subjects.map((subject) => [subject, []]))
    for (let turn = 0; turn < rounds * TURNS; turn++) {
      if (turn % TURNS === 0) progress(`round ${turn / TURNS + 1} of ${rounds}`)
      for (const subject of subjects) measured.get(subject)?.push(await importing(subject.modules))
    }
    const results = new Results(measured, TURNS)
    return {
      tables: ownOnly ? [results.table()] : [results.table(), await bundles()],
      charts: ownOnly ? [] : [results.chart()],
      figures: results.figures(),
      limits: ownOnly ? results.ownLimits() : [...results.ownLimits(), ...results.comparisons()],
    }
  },
}
