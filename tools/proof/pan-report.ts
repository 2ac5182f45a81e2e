/** What a verifier that Spin made says of its search. Pure. @module */

export interface PanReport {
  readonly states: number
  readonly transitions: number
  readonly depth: number
  readonly seconds: number
  readonly errors: number
  /** What went wrong with the model, in Spin's words. */
  readonly violation: string | undefined
  /** Why the search proves nothing, although it may have found no error. */
  readonly incomplete: string | undefined
  /** Numbers of the statements that were executed. */
  readonly executed: ReadonlySet<number>
}

/** What a model does at one place; an inline has as many as it is used. What is done within a `d_step` is one. */
export interface Statement {
  /** The file and the line in it. */
  readonly at: string
  readonly text: string
}

/** Each of these means that something was not looked at. */
const INCOMPLETE = ['max search depth too small', 'out of memory', 'Bit statespace search', 'VECTORSZ is too small', 'Search not completed']

export function readPanReport(output: string): PanReport {
  const errors = numberIn(output, /errors: (\d+)/)
  const violation = /^pan:\d+: (.+?)(?: \(at depth \d+\))?$/m.exec(output)?.[1]
  const whole = output.includes('Full statespace search') && errors !== undefined
  const cut = INCOMPLETE.find((sign) => output.includes(sign))
  return {
    states: numberIn(output, /([\d.e+]+) states, stored/) ?? 0,
    transitions: numberIn(output, /([\d.e+]+) transitions/) ?? 0,
    depth: numberIn(output, /depth reached (\d+)/) ?? 0,
    seconds: numberIn(output, /elapsed time ([\d.e+]+) seconds/) ?? 0,
    errors: errors ?? 0,
    violation,
    incomplete: whole ? cut : (cut ?? 'the verifier ended early'),
    executed: new Set([...output.matchAll(/^ *[\d.e+]+\ttrans +(\d+) /gm)].map(([, number]) => Number(number))),
  }
}

/**
 * The statements of a model by their numbers, from the code that Spin makes of them (`pan.m`). Not there: those of the claims about infinite
 * runs, and `else` and `true`, which change nothing and have one number for all.
 */
export function statementsOf(code: string): ReadonlyMap<number, Statement> {
  const found = [...code.matchAll(/^\tcase (\d+): \/\/ STATE \d+ - (\S+\.pml:\d+) - \[(.+?)\](?: \([\d:]+ - \d+\))?$/gm)]
  return new Map(found.map(([, number, at = '', text = '']) => [Number(number), { at, text }]))
}

/** The branch of the contract that a statement takes. */
export function branchOf({ text }: Statement): string | undefined {
  const name = /^taken = (\w+)$/.exec(text)?.[1]
  return name === undefined ? undefined : branchName(name)
}

/** `claim_taken_over`, as Promela can spell it, is the contract's `claim/taken-over`. */
export function branchName(identifier: string): string {
  return identifier.replace('_', '/').replaceAll('_', '-')
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
