import type { TokenStore } from '@tokenwell/core'
import { virtualClock } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import type { Case } from '../src/conformance/cases.ts'
import { Subject } from '../src/conformance/subject.ts'
import { groupsFor } from '../src/conformance/suite.ts'
import {
  type Change,
  CONTRACT_BRANCHES,
  type ContractBranch,
  claimBranch,
  invalidateBranch,
  publishBranch,
  settleBranch,
} from '../src/simulation/contract-branch.ts'
import { brokenStores } from './broken/broken-store.ts'

const clock = virtualClock()
const storeClock = {
  now: () => clock.wall(),
  pass: (ms: number) => clock.advance(ms),
  stepBack: (ms: number) => clock.stepWall(-ms),
}
const groups = groupsFor({ shared: true, durable: true, push: true }, storeClock)
const cases = Object.entries(groups).flatMap(([group, its]) =>
  Object.entries(its).flatMap(([sentence, run]) =>
    run.branch === undefined ? [] : [{ name: `${group}: ${sentence}`, run, branch: run.branch }],
  ),
)

/** A store that tells which branches its operations took. */
function watched(store: TokenStore, took: (branch: ContractBranch) => void): TokenStore {
  async function changing<T>(key: string, carryOut: () => Promise<T>): Promise<{ answer: T; change: Change }> {
    const read = async () => {
      const [snapshot] = await store.read([key], { signal: new AbortController().signal })
      if (snapshot === undefined) throw new Error(`the store says nothing about ${key}`)
      return snapshot
    }
    const before = await read()
    const answer = await carryOut()
    return { answer, change: { before, after: await read() } }
  }
  return {
    ...store,
    async claim(key, ...rest) {
      const { answer, change } = await changing(key, () => store.claim(key, ...rest))
      took(claimBranch(answer, change))
      return answer
    },
    async publish(key, attempt, fence, request, operation) {
      const { answer, change } = await changing(key, () => store.publish(key, attempt, fence, request, operation))
      took(publishBranch(answer.kind, request, change))
      return answer
    },
    async settle(key, attempt, fence, request, operation) {
      const { answer, change } = await changing(key, () => store.settle(key, attempt, fence, request, operation))
      took(settleBranch(request, change))
      return answer
    },
    async invalidate(key, version, operation) {
      const { answer, change } = await changing(key, () => store.invalidate(key, version, operation))
      took(invalidateBranch(version, change))
      return answer
    },
  }
}

async function branchesOf(run: Case): Promise<ReadonlySet<ContractBranch>> {
  const taken = new Set<ContractBranch>()
  const stores = brokenStores(clock, { around: (store) => watched(store, (branch) => taken.add(branch)) })
  await run(new Subject({ stores, close: async () => {} }, storeClock))
  return taken
}

test('the conformance suite is about each branch of the contract, and about no other', () => {
  expect([...new Set(cases.map(({ branch }) => branch))].sort()).toEqual([...CONTRACT_BRANCHES].sort())
})

test('every test in the groups of the operations that may change a record is about a branch', () => {
  const silent = ['claim', 'takeover', 'publish', 'publish again', 'settle', 'invalidate'].flatMap((group) =>
    Object.entries(groups[group] ?? {}).flatMap(([sentence, { branch }]) => (branch === undefined ? [`${group}: ${sentence}`] : [])),
  )
  // It goes for all of them.
  expect(silent).toEqual(['settle: the value stays'])
})

describe('a test of the suite takes the branch that it says it is about', () => {
  test.each(cases)('$name', async ({ run, branch }) => {
    expect([...(await branchesOf(run))]).toContain(branch)
  })
})
