import type { ContractBranch } from '../simulation/contract-branch.ts'
import type { Subject } from './subject.ts'

/** One test, with the branch of the contract that it is about, if it is about one. */
export interface Case {
  (subject: Subject): Promise<void>
  readonly branch?: ContractBranch
}

/** Tests by the sentence of the contract that each one proves. */
export type Cases = Readonly<Record<string, Case>>

/** A test about this branch, which it takes in a store that keeps the contract. */
export function branch(name: ContractBranch, run: (subject: Subject) => Promise<void>): Case {
  return Object.assign((subject: Subject) => run(subject), { branch: name })
}
