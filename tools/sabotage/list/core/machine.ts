export const MACHINE = 'packages/core/src/machine'

/** The quick ones. Those that draw at random take half a minute. */
const MACHINE_TESTS = [
  ...[
    'alone',
    'callers',
    'closing',
    'failed-reads',
    'failures',
    'fetched',
    'following',
    'hints',
    'hints-by-activity',
    'late-events',
    'leases',
  ],
  ...['lives', 'policy', 'publication', 'rejection', 'rotation', 'snapshots', 'verdict', 'waking'],
]
export const machine = MACHINE_TESTS.map((name) => `packages/core/test/machine/${name}.test.ts`)
