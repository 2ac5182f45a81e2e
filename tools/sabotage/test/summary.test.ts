import { expect, test } from 'vitest'
import type { Check, Mutation } from '../mutation.ts'
import { type Row, summary } from '../summary.ts'
import type { Verdict } from '../verdict.ts'

type Outcome = Verdict['outcome']

const row = (name: string, file: string, verdicts: Partial<Record<Check, Outcome>>, more: Partial<Mutation> = {}): Row => ({
  mutation: {
    name,
    file,
    find: 'a',
    replace: 'b',
    breaks: 'Something.',
    ...Object.fromEntries(Object.keys(verdicts).map(triedBy)),
    ...more,
  },
  verdicts: new Map(Object.entries(verdicts).map(([check, outcome]) => [check as Check, { outcome, by: 'this' }])),
})

function triedBy(check: string): [string, unknown] {
  if (check === 'simulation') return [check, true]
  return [check, check === 'model' ? 'A_SWITCH' : [`${check}.test.ts`]]
}

const CORE = 'packages/core/src/runner.ts'
const RECORD = 'packages/store-memory/src/record.ts'
const SCRIPT = 'packages/store-redis/src/scripts/claim.lua'
const inCore = (name: string, simulation: Outcome) => row(name, CORE, { unit: 'caught', simulation })

test('all is well when everything was caught and the simulation found four of five in core', () => {
  const rows = [...['a', 'b', 'c', 'd'].map((name) => inCore(name, 'caught')), inCore('e', 'missed')]
  expect(summary(rows)).toEqual({
    lines: [
      'the simulation alone found 4 of 5 in core that a fleet can meet, of all 5 in core',
      '5 of 5 mutations were caught by what runs the code',
    ],
    isGood: true,
  })
})

test('what nothing noticed is named', () => {
  const { lines, isGood } = summary([row('a', SCRIPT, { unit: 'missed', conformance: 'missed' })])
  expect(lines).toEqual(['ESCAPED: a: Something.', '0 of 1 mutations were caught by what runs the code'])
  expect(isGood).toBe(false)
})

test('what was missed by a part of its checks has not escaped', () => {
  const { lines, isGood } = summary([row('a', RECORD, { simulation: 'missed' }, { conformance: ['conformance.test.ts'] })])
  expect(lines).toEqual(['and 0 of 1 in the reference store', '0 of 1 mutations were caught by what runs the code'])
  expect(isGood).toBe(true)
})

test('what the model alone contradicts has escaped: it does not read the code', () => {
  const { lines, isGood } = summary([row('a', SCRIPT, { unit: 'missed', model: 'caught' })])
  expect(lines).toEqual([
    'ESCAPED: a: Something.',
    'the model, in which the code is not read, needs 1 of 1 rules',
    '0 of 1 mutations were caught by what runs the code',
  ])
  expect(isGood).toBe(false)
})

test('a check that broke has caught nothing, and fails the run even where another has caught it', () => {
  const { lines, isGood } = summary([
    row('a', SCRIPT, { unit: 'broke', conformance: 'caught' }),
    row('b', SCRIPT, { unit: 'broke', conformance: 'missed' }),
  ])
  expect(lines).toEqual([
    'BROKE: a: unit: this',
    'BROKE: b: unit: this',
    'ESCAPED: b: Something.',
    '1 of 2 mutations were caught by what runs the code',
  ])
  expect(isGood).toBe(false)
})

test('what the simulation should have found is named, the reference store being counted by itself', () => {
  const record = row('c', RECORD, { simulation: 'missed', conformance: 'caught' })
  const { lines, isGood } = summary([inCore('a', 'caught'), inCore('b', 'missed'), record])
  expect(lines).toEqual([
    'the simulation alone found 1 of 2 in core that a fleet can meet, of all 2 in core',
    'TOO FEW: it should find 80 %; it missed b',
    'and 0 of 1 in the reference store',
    '3 of 3 mutations were caught by what runs the code',
  ])
  expect(isGood).toBe(false)
})

test('a mutation of core that is not played counts as missed by the simulation, unless it says why', () => {
  const found = [inCore('a', 'caught'), inCore('b', 'caught')]
  const excused = summary([...found, row('c', CORE, { unit: 'caught' }, { unplayed: 'No fleet calls it.' })])
  expect(excused.lines[0]).toBe('the simulation alone found 2 of 2 in core that a fleet can meet, of all 3 in core')
  expect(excused.isGood).toBe(true)
  const silent = summary([...found, row('c', CORE, { unit: 'caught' })])
  expect(silent.lines.slice(0, 2)).toEqual([
    'the simulation alone found 2 of 3 in core that a fleet can meet, of all 3 in core',
    'TOO FEW: it should find 80 %; it missed c',
  ])
  expect(silent.isGood).toBe(false)
})

test('a run without the simulation asks nothing of it', () => {
  expect(summary([row('a', CORE, { unit: 'caught' })])).toEqual({
    lines: ['1 of 1 mutations were caught by what runs the code'],
    isGood: true,
  })
})
