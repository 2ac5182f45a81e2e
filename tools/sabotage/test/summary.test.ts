import { expect, test } from 'vitest'
import type { Check } from '../mutation.ts'
import { type Row, summary } from '../summary.ts'

const row = (name: string, file: string, ...verdicts: readonly [Check, boolean][]): Row => ({
  mutation: { name, file, find: 'a', replace: 'b', breaks: 'Something.' },
  verdicts: new Map(verdicts.map(([check, isCaught]) => [check, { isCaught, by: '' }])),
})

const inCore = (name: string, isPlayed: boolean) => row(name, 'packages/core/src/runner.ts', ['unit', true], ['simulation', isPlayed])

test('all is well when everything was caught and the simulation found four of five in core', () => {
  const rows = [inCore('a', true), inCore('b', true), inCore('c', true), inCore('d', true), inCore('e', false)]
  expect(summary(rows)).toEqual({
    lines: ['the simulation alone found 4 of 5 in core', '5 of 5 mutations were caught'],
    isGood: true,
  })
})

test('what nothing noticed is named', () => {
  const { lines, isGood } = summary([row('a', 'packages/store-redis/src/scripts/claim.lua', ['unit', false], ['conformance', false])])
  expect(lines).toEqual(['ESCAPED: a: Something.', '0 of 1 mutations were caught'])
  expect(isGood).toBe(false)
})

test('what the simulation should have found is named, the reference store being counted by itself', () => {
  const record = row('c', 'packages/store-memory/src/record.ts', ['simulation', false], ['conformance', true])
  const { lines, isGood } = summary([inCore('a', true), inCore('b', false), record])
  expect(lines).toEqual([
    'the simulation alone found 1 of 2 in core',
    'TOO FEW: it should find 80 %; it missed b',
    'and 0 of 1 in the reference store',
    '3 of 3 mutations were caught',
  ])
  expect(isGood).toBe(false)
})
