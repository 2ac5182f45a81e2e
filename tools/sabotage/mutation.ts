/** Those that run the code as it was broken: one of them must catch a mutation. */
export const CODE_CHECKS = ['unit', 'conformance', 'simulation'] as const

/**
 * All that may be tried, in this order. The model is searched as it stands, with a switch that takes the same rule out of it: it says that
 * the rule is needed, and nothing of the code.
 */
export const CHECKS = [...CODE_CHECKS, 'model'] as const
export type Check = (typeof CHECKS)[number]

/** One rule taken out of the code, in one place. */
export interface Mutation {
  /** Words with dashes, alone of its name. */
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** What is wrong without the rule, in one sentence. */
  readonly breaks: string
  /** Test files that know the rule. */
  readonly unit?: readonly string[]
  /** Test files that run the conformance suite on the store. */
  readonly conformance?: readonly string[]
  /** Whether fleets are played with it. Only what the simulation runs can be caught by it: core, and the reference store. */
  readonly simulation?: true
  /** Why no fleet is played with it: a mutation of core without a reason counts among those that the simulation should find. */
  readonly unplayed?: string
  /** The switch that takes the same rule out of a model in `proof/`. */
  readonly model?: string
}

/** @throws RangeError when the text to find does not stand exactly once in the source */
export function mutated(source: string, { name, file, find, replace }: Mutation): string {
  const pieces = source.split(find)
  if (pieces.length !== 2) throw new RangeError(`${name}: its text stands ${pieces.length - 1} times in ${file}, not once: ${find}`)
  return pieces.join(replace)
}

/** The checks that are to be tried on a mutation. */
export function checksOf(mutation: Mutation): Check[] {
  return CHECKS.filter((check) => mutation[check] !== undefined)
}
