import { CONTRACT_BRANCHES } from '../../packages/testkit/src/simulation/contract-branch.ts'
import { branchName } from './pan-report.ts'

/** One search: where the model takes branches, and at which of these places the search never came. */
export interface Coverage {
  readonly places: readonly string[]
  readonly unreached: readonly string[]
}

/**
 * Holds the model against the contract: each branch is one transition of the record's operations, no other is there, and each is taken
 * in one of the searches at least. Empty when that is so.
 */
export function branchFaults(source: string, searches: readonly Coverage[], contract: readonly string[] = CONTRACT_BRANCHES): string[] {
  const model = [...source.matchAll(/^\s*branch\((\w+)\)/gm)].map(([, name = '']) => branchName(name))
  return [
    ...contract.filter((branch) => !model.includes(branch)).map((branch) => `the model has no transition for ${branch}`),
    ...[...new Set(model)].filter((branch) => !contract.includes(branch)).map((branch) => `the contract has no branch ${branch}`),
    ...model.filter((branch, at) => model.indexOf(branch) !== at).map((branch) => `the model has more than one transition for ${branch}`),
    ...contract
      .filter((branch) => model.includes(branch) && !searches.some((search) => isReached(branch, search)))
      .map((branch) => `no search ever took ${branch}`),
  ]
}

function isReached(branch: string, { places, unreached }: Coverage): boolean {
  const count = (names: readonly string[]) => names.filter((name) => name === branch).length
  return count(places) > count(unreached)
}
