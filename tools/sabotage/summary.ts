import type { Verdict } from './checks.ts'
import type { Check, Mutation } from './mutation.ts'

export interface Row {
  readonly mutation: Mutation
  /** Of the checks that were tried. */
  readonly verdicts: ReadonlyMap<Check, Verdict>
}

/** Of the mutations of core the simulation alone must find so many, whatever else finds them too. */
const SHARE = 0.8

const CORE = 'packages/core/src/'

/** What it comes to. Good is when nothing escaped and the simulation found its share. */
export function summary(rows: readonly Row[]): { readonly lines: readonly string[]; readonly isGood: boolean } {
  const caught = ({ verdicts }: Row) => [...verdicts.values()].some(({ isCaught }) => isCaught)
  const escaped = rows.filter((row) => !caught(row))
  const isCore = ({ mutation }: Row) => mutation.file.startsWith(CORE)
  const inCore = played(rows.filter(isCore))
  const elsewhere = played(rows.filter((row) => !isCore(row)))
  const isShareFound = inCore.tried === 0 || inCore.found >= SHARE * inCore.tried
  const lines = [
    ...escaped.map(({ mutation }) => `ESCAPED: ${mutation.name}: ${mutation.breaks}`),
    ...(inCore.tried > 0 ? [`the simulation alone found ${inCore.found} of ${inCore.tried} in core`] : []),
    ...(isShareFound ? [] : [`TOO FEW: it should find ${SHARE * 100} %; it missed ${inCore.missed.join(', ')}`]),
    ...(elsewhere.tried > 0 ? [`and ${elsewhere.found} of ${elsewhere.tried} in the reference store`] : []),
    `${rows.length - escaped.length} of ${rows.length} mutations were caught`,
  ]
  return { lines, isGood: escaped.length === 0 && isShareFound }
}

function played(rows: readonly Row[]): { readonly tried: number; readonly found: number; readonly missed: readonly string[] } {
  const tried = rows.filter(({ verdicts }) => verdicts.has('simulation'))
  const missed = tried.filter(({ verdicts }) => verdicts.get('simulation')?.isCaught === false).map(({ mutation }) => mutation.name)
  return { tried: tried.length, found: tried.length - missed.length, missed }
}
