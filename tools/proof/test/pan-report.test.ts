import { describe, expect, test } from 'vitest'
import { branchName, branchPlaces, readPanReport } from '../pan-report.ts'

const complete = `
(Spin Version 6.5.2 -- 6 December 2019)

Full statespace search for:
	never claim         	- (not selected)
	assertion violations	+
	invalid end states	+

State-vector 116 byte, depth reached 357, errors: 0
  1646193 states, stored
  4026944 states, matched
  5673137 transitions (= stored+matched)
 40123456 atomic steps

unreached in proctype Time
	environment.pml:98, state 16, "-end-"
	(1 of 16 states)
unreached in proctype Node
	lease.pml:190, state 724, "taken = publish_refused"
	lease.pml:190, state 843, "taken = publish_refused"
	lease.pml:128, state 62, "taken = claim_taken_over"
	lease.pml:48, state 226, "D_STEP48"

pan: elapsed time 5.84 seconds
`

describe('what a verifier says', () => {
  test('is read as figures', () => {
    expect(readPanReport(complete)).toMatchObject({ states: 1_646_193, transitions: 5_673_137, depth: 357, seconds: 5.84, errors: 0 })
  })

  test('of a whole search without an error is neither a violation nor incomplete', () => {
    expect(readPanReport(complete)).toMatchObject({ violation: undefined, incomplete: undefined })
  })

  test('names the branches of the contract that were not taken, place by place', () => {
    expect(readPanReport(complete).unreached).toEqual(['publish/refused', 'publish/refused', 'claim/taken-over'])
  })

  test('counts states once that a search for cycles has visited more often', () => {
    const cycles = complete.replace('1646193 states, stored', '621082 states, stored (1.13784e+06 visited)').replace('5673137', '1.2e+07')
    expect(readPanReport(cycles)).toMatchObject({ states: 621_082, transitions: 12_000_000 })
  })

  test('is a violation with an assertion, an acceptance cycle, or a deadlock', () => {
    const failed = (line: string) =>
      readPanReport(`${line}\npan: wrote lease.pml.trail\n${complete.replace('errors: 0', 'errors: 1')}`).violation
    expect(failed('pan:1: assertion violated (record.version>=before.version) (at depth 85)')).toBe(
      'assertion violated (record.version>=before.version)',
    )
    expect(failed('pan:1: acceptance cycle (at depth 215)')).toBe('acceptance cycle')
    expect(failed('pan:1: invalid end state (at depth 94)')).toBe('invalid end state')
  })

  test.each([
    ['the depth did not suffice', 'error: max search depth too small\n', 'max search depth too small'],
    ['the memory did not suffice', 'pan: out of memory\n', 'out of memory'],
    ['states were kept as hashes only', 'Bit statespace search for:\n', 'Bit statespace search'],
    ['it was cut short', 'Warning: Search not completed\n', 'Search not completed'],
  ])('is incomplete when %s', (_, line, incomplete) => {
    expect(readPanReport(line + complete).incomplete).toBe(incomplete)
  })

  test('is incomplete when the verifier was killed', () => {
    expect(readPanReport('Depth= 357 States= 1e+06\n').incomplete).toBe('the verifier ended early')
    expect(readPanReport('').incomplete).toBe('the verifier ended early')
  })
})

describe('branches of the contract', () => {
  test('are spelled as Promela can', () => {
    expect(branchName('publish_superseded_by_base')).toBe('publish/superseded-by-base')
  })

  test('are found at every place where the model takes them', () => {
    const table =
      'trans[0][72] = settr(171,2,21,21,21,"taken = claim_fresh", 1, 2, 0);\nsettr(1,0,0,0,0,"answer = NOT_DUE");\n"taken = claim_fresh"'
    expect(branchPlaces(table)).toEqual(['claim/fresh', 'claim/fresh'])
  })
})
