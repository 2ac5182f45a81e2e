import { expect, test } from 'vitest'
import { statementFaults } from '../coverage.ts'

const statements = new Map([
  [1, { at: 'lease.pml:41', text: 'goto_here = 1' }],
  [2, { at: 'store.pml:123', text: 'answer = BACKOFF' }],
  [3, { at: 'store.pml:123', text: 'answer = BACKOFF' }],
])
const search = (...executed: number[]) => ({ statements, executed: new Set(executed) })

test('each statement is executed by one search at least', () => {
  expect(statementFaults([search(1), search(2)])).toEqual([])
  expect(statementFaults([search(2), search(2, 3)])).toEqual(['no search ever came to lease.pml:41: goto_here = 1'])
})

test('an inline is executed when it is at one of the places where it is used', () => {
  expect(statementFaults([search(1, 3)])).toEqual([])
  expect(statementFaults([search(1)])).toEqual(['no search ever came to store.pml:123: answer = BACKOFF'])
})

test('a search of a model without a statement says nothing of it', () => {
  const other = { statements: new Map([[1, { at: 'ticket.pml:9', text: 'fence = 1' }]]), executed: new Set([1]) }
  expect(statementFaults([other, search(2)])).toEqual(['no search ever came to lease.pml:41: goto_here = 1'])
})

const unexecuted = (...texts: readonly string[]) =>
  statementFaults([{ statements: new Map(texts.map((text, line) => [line, { at: `lease.pml:${line}`, text }])), executed: new Set() }])

test('nothing is to come to the end of a process without one', () => {
  expect(unexecuted('-end-')).toEqual([])
})

test('nothing is to come to a line that claims so', () => {
  const at = 'lease.pml:87'
  const claimed = { at, text: 'assert(0)' }
  const statements = new Map([
    [1, { at, text: '((answer==NOT_DUE))' }],
    [2, claimed],
    [3, { at: 'lease.pml:88', text: 'assert((seen[me]>0))' }],
  ])
  expect(statementFaults([{ statements, executed: new Set() }])).toEqual(['no search ever came to lease.pml:88: assert((seen[me]>0))'])
})

test('an option that an argument switches off is not missed, and one that depends on anything is', () => {
  expect(unexecuted('(0)', '(!(1))', '((record.backoff&&0))', '((record.version>31))')).toEqual([])
  expect(unexecuted('(!(late.flag))', '((record.backoff&&1))', '((record.version>30))')).toHaveLength(3)
})
