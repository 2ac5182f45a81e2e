import type { Statement } from './pan-report.ts'

/** What one search has executed of its model. */
export interface Search {
  readonly statements: ReadonlyMap<number, Statement>
  readonly executed: ReadonlySet<number>
}

/** What is claimed of a place where nothing is to come: `assert(false)`. */
const NOWHERE = 'assert(0)'

/** What cannot be executed, and need not be. */
const UNREACHABLE: readonly RegExp[] = [
  // The end of a process that goes on for ever.
  /^-end-$/,
  // An option of an inline that is not there for this caller, whose argument is a constant: `false`, `true`, or `WITHOUT_BASE`.
  /^\(+(?:0|!\(1|.+&&0|record\.version>31)\)+$/,
]

/** The statements of the models that no search has executed: what hangs on them was never looked at. Empty when there is none. */
export function statementFaults(searches: readonly Search[]): string[] {
  const found = new Map<string, boolean>()
  for (const { statements, executed } of searches) {
    const nowhere = new Set([...statements.values()].filter(({ text }) => text === NOWHERE).map(({ at }) => at))
    for (const [number, { at, text }] of statements) {
      if (nowhere.has(at) || UNREACHABLE.some((each) => each.test(text))) continue
      const name = `${at}: ${text}`
      found.set(name, found.get(name) === true || executed.has(number))
    }
  }
  return [...found].filter(([, isExecuted]) => !isExecuted).map(([name]) => `no search ever came to ${name}`)
}
