import { describe, expect, test } from 'vitest'
import { sources } from '../src/statements.ts'
import { conformance } from './support/conformance.ts'

describe('the SQLite store keeps the contract', () => {
  const { notRun } = conformance(test, sources)

  test('and nothing of it was left out', () => expect(notRun).toEqual([]))
})
