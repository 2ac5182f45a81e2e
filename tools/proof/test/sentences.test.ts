import { describe, expect, test } from 'vitest'
import { failedAt, lineOfClaim, sentenceAbove } from '../sentences.ts'

const source = `inline check() {
  /* "the stored version never decreases" */
  assert(record.version >= before.version);

  x = 1;
  y = 2;
  assert(y == 2)
}
/* "whoever waits is served" */
ltl served { [] (waiting -> <> !waiting) }`

describe('what a counterexample contradicts', () => {
  test('is the sentence above the assertion', () => {
    expect(sentenceAbove(source, 3)).toBe('the stored version never decreases')
  })

  test('is the line itself when there is no sentence near it', () => {
    expect(sentenceAbove(source, 7)).toBe('assert(y == 2)')
  })

  test('is the sentence above a claim about infinite runs', () => {
    expect(sentenceAbove(source, lineOfClaim(source, 'served'))).toBe('whoever waits is served')
    expect(lineOfClaim(source, 'unknown')).toBe(0)
  })

  test('is looked for where the replay ended', () => {
    const replay = 'ltl served: ...\nspin: invariants.pml:35, Error: assertion violated\nspin: text of failed assertion: assert(x)\n'
    expect(failedAt(replay)).toEqual({ file: 'invariants.pml', line: 35 })
    expect(failedAt('spin: trail ends after 3 steps')).toBeUndefined()
  })
})
