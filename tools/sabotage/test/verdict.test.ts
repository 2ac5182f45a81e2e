import { describe, expect, test } from 'vitest'
import { playVerdict, testVerdict } from '../verdict.ts'

/** As vitest prints it without colours. */
const printed = (where: string, error: string) => `
⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  |side by side| ${where}
${error}
 ❯ packages/core/test/machine/rules.test.ts:7:31
`
const TEST = 'packages/core/test/machine/rules.test.ts > a rule holds'

describe('tests have caught what was broken', () => {
  test.each([
    'AssertionError: expected 1 to be 2 // Object.is equality',
    'AssertionError [ERR_ASSERTION]: claim: expected held, got granted',
    'TestTimeoutError: Test timed out in 60000ms.',
    'TokenError: nobody answered',
    'Error: expected number of assertions to be 1, but got 0',
    'Error: Property failed after 12 tests',
  ])('when one has failed with %s', (error) => {
    expect(testVerdict({ code: 1, output: printed(TEST, error) })).toEqual({ outcome: 'caught', by: `|side by side| ${TEST}` })
  })
})

describe('tests have broken, and caught nothing', () => {
  test.each([
    [
      'a suite could not be loaded',
      printed('rules.test.ts [ rules.test.ts ]', "Error: Cannot find module './nothing.ts'"),
      /Cannot find module/,
    ],
    ['the source does not parse', printed('rules.test.ts [ rules.test.ts ]', 'SyntaxError: Unexpected token'), /^exit code 1: SyntaxError/],
    ['a server did not start', printed('redis.test.ts > on Redis', 'Error: redis-server ended at once'), /exit code 1/],
    ['a name is not there', printed(TEST, 'ReferenceError: sentAt is not defined'), /^exit code 1: ReferenceError: sentAt/],
    ['the program ran out of memory', 'FATAL ERROR: Reached heap limit', /^exit code 1: FATAL ERROR/],
    ['something failed outside all tests', 'Unhandled Rejection\nError: loose', /^exit code 1: Error: loose/],
  ])('when %s', (_, output, by) => {
    expect(testVerdict({ code: 1, output })).toEqual({ outcome: 'broke', by: expect.stringMatching(by) })
  })

  test('when they came to no end', () => {
    expect(testVerdict({ code: undefined, output: printed(TEST, 'AssertionError: one') }).outcome).toBe('broke')
  })
})

test('a run that ends well has missed what was broken', () => {
  expect(testVerdict({ code: 0, output: '' }).outcome).toBe('missed')
  expect(playVerdict({ code: 0, output: '' }).outcome).toBe('missed')
})

test.each([
  '3.000 s: I5: n0 served an older version',
  '3.000 s: thrown, and caught by nobody: TokenError: nobody answered',
  '3.000 s: n0: a caller got Error: the upstream is down',
  '3.000 s: thrown, and caught by nobody: RangeError: time stands still: more than 100000 things happened at once',
])('worlds have caught what was broken when a seed is told with %s', (violation) => {
  const output = `seed 12: ${violation}\n`
  expect(playVerdict({ code: 1, output })).toEqual({ outcome: 'caught', by: output.trim() })
})

test.each([
  '3.000 s: thrown, and caught by nobody: TypeError: undefined is not a function',
  'thrown, and caught by nobody: ReferenceError: sentAt is not defined',
  '3.000 s: thrown, and caught by nobody: RangeError: Maximum call stack size exceeded',
  '3.000 s: n0: a caller got TypeError: x is not a function',
  '3.000 s: authorize() rejected with ReferenceError: x is not defined',
  'the world could not be played: Error: no store',
  'the world could not be played: TokenError: no store',
])('worlds have broken, and caught nothing, when the first that is told of a seed is %s', (violation) => {
  const output = `seed 12: ${violation}\n`
  expect(playVerdict({ code: 1, output })).toEqual({ outcome: 'broke', by: output.trim() })
})

test('worlds that were never played have caught nothing', () => {
  const output = 'file:///copy/tally.ts:3\nSyntaxError: no export named simulate\n\nNode.js v24'
  expect(playVerdict({ code: 1, output })).toEqual({ outcome: 'broke', by: 'exit code 1: SyntaxError: no export named simulate' })
  expect(playVerdict({ code: undefined, output: '' }).outcome).toBe('broke')
})
