import type { CallReport, Entry, Fleet } from '../../index.ts'

/** The entries of one kind. */
export type Of<Kind extends Entry['kind']> = Extract<Entry, { readonly kind: Kind }>

/** More than most fleets do in a test. */
const MOST_TOLD = 500

/** What was done last, a line for each, by milliseconds since the first; without what is done most, callers who are served. */
export function told(history: readonly Entry[]): string {
  const from = history[0]?.at ?? 0
  const lines = history.filter(({ kind }) => kind !== 'tally' && kind !== 'waited').slice(-MOST_TOLD)
  return lines
    .map(({ at, node, kind, ...rest }) => `${(at - from).toFixed(1).padStart(9)} ${node} ${kind} ${JSON.stringify(rest)}`)
    .join('\n')
}

export function publications(history: readonly Entry[]): Of<'store'>[] {
  return history.filter(
    (entry) => entry.kind === 'store' && entry.operation === 'publish' && !entry.key.endsWith('/app-ticket'),
  ) as Of<'store'>[]
}

/** The processes that the store's push has told something. */
export function hinted(fleet: Fleet): Set<string> {
  return new Set(fleet.history.filter(({ kind }) => kind === 'hint').map(({ node }) => node))
}

export function nodesWith(history: readonly Entry[], type: Of<'event'>['type']): Set<string> {
  return new Set(history.filter((entry) => entry.kind === 'event' && entry.type === type).map(({ node }) => node))
}

/** The version each process served last. */
export function lastVersions(fleet: Fleet): Map<string, number> {
  const names = new Set(fleet.nodes.map(({ name }) => name))
  const last = new Map<string, number>()
  for (const entry of fleet.history) if (entry.kind === 'served' && names.has(entry.node)) last.set(entry.node, entry.version)
  return last
}

export function highest(fleet: Fleet): number {
  return Math.max(...lastVersions(fleet).values())
}

export function servedTo({ served }: CallReport): number {
  return sum(Object.values(served))
}

export function valuesOf(reports: readonly CallReport[]): string[] {
  return [...new Set(reports.flatMap(({ served }) => Object.keys(served)))]
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
