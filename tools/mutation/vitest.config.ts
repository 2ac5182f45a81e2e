import { defineConfig } from 'vitest/config'
import tests from '../../vitest.config.ts'

/** The tests of the machine alone: they have no secrets to search for, and every mutant runs them anew, in one worker to be quick. */
export default defineConfig({
  ...tests,
  test: { include: ['packages/core/test/machine/**/*.test.ts'], isolate: false, testTimeout: 60_000 },
})
