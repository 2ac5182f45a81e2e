import { type Check, CODE_CHECKS, checksOf, type Mutation } from './mutation.ts'
import type { Verdict } from './verdict.ts'

export interface Row {
  readonly mutation: Mutation
  /** Of the checks that were tried. */
  readonly verdicts: ReadonlyMap<Check, Verdict>
}

/** Of the mutations of core that a fleet can meet the simulation alone must find so many, whatever else finds them too. */
const SHARE = 0.8

const CORE = 'packages/core/src/'

/**
 * What it comes to. Good is when no check broke, nothing escaped those that run the code, and the simulation found its share. What has escaped
 * is known of a mutation of which all its checks were tried.
 */
export function summary(rows: readonly Row[]): { readonly lines: readonly string[]; readonly isGood: boolean } {
  const broke = rows.flatMap(({ mutation: { name }, verdicts }) =>
    [...verdicts].filter(([, { outcome }]) => outcome === 'broke').map(([check, { by }]) => `BROKE: ${name}: ${check}: ${by}`),
  )
  const tried = rows.filter(({ verdicts }) => CODE_CHECKS.some((check) => verdicts.has(check)))
  const missed = tried.filter((row) => !CODE_CHECKS.some((check) => isCaught(row, check)))
  const escaped = missed.filter(isTriedWhole)
  const simulated = simulation(rows)
  const searched = rows.filter(({ verdicts }) => verdicts.has('model'))
  const lines = [
    ...broke,
    ...escaped.map(({ mutation }) => `ESCAPED: ${mutation.name}: ${mutation.breaks}`),
    ...simulated.lines,
    ...(searched.length > 0
      ? [
          `the model, in which the code is not read, needs ${searched.filter((row) => isCaught(row, 'model')).length} of ${searched.length} rules`,
        ]
      : []),
    `${tried.length - missed.length} of ${tried.length} mutations were caught by what runs the code`,
  ]
  return { lines, isGood: broke.length === 0 && escaped.length === 0 && simulated.isShareFound }
}

/** What the simulation found. Of core it should find what a fleet can meet: all but those whose mutation says why it is not played. */
function simulation(rows: readonly Row[]): { readonly lines: readonly string[]; readonly isShareFound: boolean } {
  if (!rows.some(({ verdicts }) => verdicts.has('simulation'))) return { lines: [], isShareFound: true }
  const found = (some: readonly Row[]) => some.filter((row) => isCaught(row, 'simulation'))
  const core = rows.filter(({ mutation }) => mutation.file.startsWith(CORE))
  const expected = core.filter(({ mutation }) => mutation.unplayed === undefined)
  const missed = expected.filter((row) => !isCaught(row, 'simulation')).map(({ mutation }) => mutation.name)
  const elsewhere = rows.filter(({ mutation, verdicts }) => !mutation.file.startsWith(CORE) && verdicts.has('simulation'))
  const isShareFound = found(expected).length >= SHARE * expected.length
  const lines = [
    ...(core.length > 0
      ? [
          `the simulation alone found ${found(expected).length} of ${expected.length} in core that a fleet can meet, of all ${core.length} in core`,
        ]
      : []),
    ...(isShareFound ? [] : [`TOO FEW: it should find ${SHARE * 100} %; it missed ${missed.join(', ')}`]),
    ...(elsewhere.length > 0 ? [`and ${found(elsewhere).length} of ${elsewhere.length} in the reference store`] : []),
  ]
  return { lines, isShareFound }
}

function isTriedWhole({ mutation, verdicts }: Row): boolean {
  return checksOf(mutation).every((check) => check === 'model' || verdicts.has(check))
}

function isCaught({ verdicts }: Row, check: Check): boolean {
  return verdicts.get(check)?.outcome === 'caught'
}
