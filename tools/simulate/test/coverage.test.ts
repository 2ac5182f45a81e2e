import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CONTRACT_BRANCHES } from '../../../packages/testkit/src/simulation/contract-branch.ts'
import { coverageProblems, getsProblems } from '../coverage.ts'
import { EDGES, RARE_EDGES, RAREST_EDGES } from '../edges.ts'

test('what was never played is named, each kind of fault, way through the machine and branch of the contract', () => {
  const problems = coverageProblems(new Map([['fault store stall', 999]]), 3_000)
  expect(problems).toContain('the fault "store stall" struck 999 times, fewer than 1000')
  expect(problems).toContain('the fault "wire upstream late" struck 0 times, fewer than 1000')
  expect(problems).toContain('nothing took the branch claim/taken-over')
  expect(problems).toContain('nothing took the edge idle wanted claiming')
  expect(problems).toContain('nobody told of "ticket-accepted"')
  expect(problems).not.toContain(`nothing took the edge ${RARE_EDGES[0]}`)
  expect(coverageProblems(new Map(), 100_000)).toContain(`nothing took the edge ${RARE_EDGES[0]}`)
  expect(coverageProblems(new Map(), 1_000_000)).not.toContain(`nothing took the edge ${RAREST_EDGES[0]}`)
})

test('a way through the machine that nobody knows of is named', () => {
  const all = new Map(
    [...EDGES.map((edge) => `edge ${edge}`), ...CONTRACT_BRANCHES.map((branch) => `branch ${branch}`)].map((what) => [what, 1]),
  )
  expect(coverageProblems(all, 1)).toEqual(expect.not.arrayContaining([expect.stringContaining('edge')]))
  expect(coverageProblems(new Map([...all, ['edge closed woke claiming', 1]]), 1)).toContain('unknown: edge closed woke claiming')
  expect(coverageProblems(new Map([...all, [`edge ${RAREST_EDGES[0]}`, 1]]), 1).join()).not.toContain('unknown: ')
})

test('the diagram of the architecture has every way from one activity to another, and no other', () => {
  const diagram = readFileSync(new URL('../../../ARCHITECTURE.md', import.meta.url), 'utf8')
  const drawn = [...diagram.matchAll(/^ {4}(\w+) --> (\w+):/gm)].map(([, from, to]) => `${from} ${to}`)
  const taken = [...EDGES, ...RARE_EDGES, ...RAREST_EDGES].map((edge) => edge.split(' ')).map(([from, , to]) => `${from} ${to}`)
  const moves = taken.filter((move) => new Set(move.split(' ')).size === 2 && !move.endsWith(' closed'))
  expect([...new Set(drawn)].sort()).toEqual([...new Set(moves)].sort())
})

test('fleets that are asked for too little are told', () => {
  expect(getsProblems(1, 1)).toEqual([])
  expect(getsProblems(0.96, 1)).toEqual(['each process was asked for 0.96 tokens in a minute, fewer than 1'])
})
