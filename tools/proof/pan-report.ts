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
  /** Branches of the contract that were not taken at some place in the model, once for each such place. */
  readonly unreached: readonly string[]
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
    unreached: [...output.matchAll(/^\t\S+:\d+, state \d+, "taken = (\w+)"$/gm)].map(([, name = '']) => branchName(name)),
  }
}

/** Every place of the model at which a branch of the contract is taken, from the table of transitions that Spin makes (`pan.t`). */
export function branchPlaces(transitions: string): string[] {
  return [...transitions.matchAll(/"taken = (\w+)"/g)].map(([, name = '']) => branchName(name))
}

/** `claim_taken_over`, as Promela can spell it, is the contract's `claim/taken-over`. */
export function branchName(identifier: string): string {
  return identifier.replace('_', '/').replaceAll('_', '-')
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
