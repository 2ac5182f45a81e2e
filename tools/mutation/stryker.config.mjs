// Changes the machine in one small way after another and runs its tests against each: a change that no test notices is a test that is missing.
export default {
  mutate: ['packages/core/src/machine/**/*.ts'],
  // Most strings are the names of the alternatives of a union, which the types hold together; the rest is for people to read.
  mutator: { excludedMutations: ['StringLiteral'] },
  plugins: ['@stryker-mutator/vitest-runner'],
  testRunner: 'vitest',
  vitest: { configFile: 'tools/mutation/vitest.config.ts', related: false },
  coverageAnalysis: 'perTest',
  concurrency: 1,
  timeoutMS: 10_000,
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { reportTests: false, reportScoreTable: true },
  tempDirName: '.cache/mutation',
  cleanTempDir: 'always',
  ignorePatterns: ['.cache', '.turbo', 'dist', '*.tgz', 'docs', 'examples', 'proof'],
}
