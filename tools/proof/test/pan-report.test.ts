import { describe, expect, test } from 'vitest'
import { branchName, branchOf, readPanReport, statementsOf } from '../pan-report.ts'

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

Peg Counts (transitions executed):
161135	trans    1 (null):0
    1	trans    8 lease.pml:203 
1.2e+07	trans  479 store.pml:137 
`

describe('what a verifier says', () => {
  test('is read as figures', () => {
    expect(readPanReport(complete)).toMatchObject({ states: 1_646_193, transitions: 5_673_137, depth: 357, seconds: 5.84, errors: 0 })
  })

  test('of a whole search without an error is neither a violation nor incomplete', () => {
    expect(readPanReport(complete)).toMatchObject({ violation: undefined, incomplete: undefined })
  })

  test('names the statements that were executed by their numbers', () => {
    expect([...readPanReport(complete).executed]).toEqual([1, 8, 479])
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

/** As Spin writes them. */
const code = `
	case 5: // STATE 1 - _spin_nvr.tmp:3 - [(!(!(waiting[0])))] (0:0:0 - 0)
		IfNotBlocked
	case 8: // STATE 13 - lease.pml:204 - [node = 0] (0:0:1 - 0)
	case 26: // STATE 42 - environment.pml:64 - [D_STEP64]
	case 31: // STATE 83 - store.pml:126 - [taken = claim_held] (0:802:1 - 2)
	case 59: // STATE 200 - lease.pml:62 - [(seen[me]>rejected[me])] (0:0:1 - 0)
`

describe('the statements of a model', () => {
  test('are known by number, place and text, but for those of a claim', () => {
    expect([...statementsOf(code)]).toEqual([
      [8, { at: 'lease.pml:204', text: 'node = 0' }],
      [26, { at: 'environment.pml:64', text: 'D_STEP64' }],
      [31, { at: 'store.pml:126', text: 'taken = claim_held' }],
      [59, { at: 'lease.pml:62', text: '(seen[me]>rejected[me])' }],
    ])
  })

  test('are branches of the contract where they are named so, as Promela can spell it', () => {
    expect([...statementsOf(code).values()].map(branchOf)).toEqual([undefined, undefined, 'claim/held', undefined])
    expect(branchName('publish_superseded_by_base')).toBe('publish/superseded-by-base')
  })
})
