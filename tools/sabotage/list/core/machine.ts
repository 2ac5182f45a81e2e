export const MACHINE = 'packages/core/src/machine'

/** The quick ones. Those that draw at random take half a minute. */
const MACHINE_TESTS = 'alone failures fetched following hints leases lives policy publication rejection rotation verdict'.split(' ')
export const machine = MACHINE_TESTS.map((name) => `packages/core/test/machine/${name}.test.ts`)
