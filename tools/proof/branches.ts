import { CONTRACT_BRANCHES } from '../../packages/testkit/src/simulation/contract-branch.ts'
import type { Search } from './coverage.ts'
import { branchName, branchOf } from './pan-report.ts'

/**
 * Holds the model against the contract: each branch is one transition of the record's operations, no other is there, and each is taken
 * in one of the searches at least. Empty when that is so.
 */
export function branchFaults(source: string, searches: readonly Search[], contract: readonly string[] = CONTRACT_BRANCHES): string[] {
  const model = [...source.matchAll(/^\s*branch\((\w+)\)/gm)].map(([, name = '']) => branchName(name))
  const taken = new Set(
    searches.flatMap(({ statements, executed }) =>
      [...statements].filter(([number]) => executed.has(number)).map(([, statement]) => branchOf(statement)),
    ),
  )
  return [
    ...contract.filter((branch) => !model.includes(branch)).map((branch) => `the model has no transition for ${branch}`),
    ...[...new Set(model)].filter((branch) => !contract.includes(branch)).map((branch) => `the contract has no branch ${branch}`),
    ...model.filter((branch, at) => model.indexOf(branch) !== at).map((branch) => `the model has more than one transition for ${branch}`),
    ...contract.filter((branch) => model.includes(branch) && !taken.has(branch)).map((branch) => `no search ever took ${branch}`),
  ]
}
