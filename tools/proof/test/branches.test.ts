import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CONTRACT_BRANCHES } from '../../../packages/testkit/src/simulation/contract-branch.ts'
import { branchFaults } from '../branches.ts'

const contract = ['claim/fresh', 'claim/held']
const model = `
#define branch(name) taken = name
       branch(claim_fresh);
       branch(claim_held);
`
const statements = new Map([
  [1, { at: 'store.pml:10', text: 'taken = claim_fresh' }],
  [2, { at: 'store.pml:20', text: 'taken = claim_held' }],
  [3, { at: 'store.pml:20', text: 'taken = claim_held' }],
])
const everywhere = { statements, executed: new Set([1, 2, 3]) }

describe('the model', () => {
  test('is right when each branch of the contract is one transition that a search took', () => {
    expect(branchFaults(model, [everywhere], contract)).toEqual([])
  })

  test('must have every branch of the contract', () => {
    expect(branchFaults(model.replace(/.*held.*\n/, ''), [everywhere], contract)).toEqual(['the model has no transition for claim/held'])
  })

  test('must have no branch that the contract does not have', () => {
    expect(branchFaults(`${model}  branch(claim_stolen);`, [everywhere], contract)).toEqual(['the contract has no branch claim/stolen'])
  })

  test('must not have a branch twice', () => {
    expect(branchFaults(`${model}  branch(claim_held);`, [everywhere], contract)).toEqual([
      'the model has more than one transition for claim/held',
    ])
  })

  test('must take each branch in one search at least', () => {
    const never = { statements, executed: new Set([1]) }
    expect(branchFaults(model, [never], contract)).toEqual(['no search ever took claim/held'])
    expect(branchFaults(model, [never, everywhere], contract)).toEqual([])
  })

  test('takes a branch that is reached at one place and not at another', () => {
    expect(branchFaults(model, [{ statements, executed: new Set([1, 3]) }], contract)).toEqual([])
  })
})

test('the model in proof/ has the branches of the contract and no others', () => {
  const source = readFileSync(new URL('../../../proof/store.pml', import.meta.url), 'utf8')
  const taken = CONTRACT_BRANCHES.map((branch) => `taken = ${branch.replace(/[/-]/g, '_')}`)
  const all = new Map(taken.map((text, number) => [number, { at: 'store.pml:1', text }]))
  expect(branchFaults(source, [{ statements: all, executed: new Set(all.keys()) }])).toEqual([])
})
