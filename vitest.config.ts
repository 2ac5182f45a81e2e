import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Fleets of processes, whose leases run in real time: they have the machine for themselves after all others have run. */
const FLEETS = [
  'tools/fleet/test/**/*.test.ts',
  'tools/chaos/test/**/*.test.ts',
  'examples/rolling/test/rolling.test.ts',
  'examples/serverless/test/**/*.test.ts',
]
/** Those that keep every core busy for long: one at a time, or leases end under their holders. */
const CROWDS = ['tools/fleet/test/*-chain.test.ts', 'tools/fleet/test/*-users.test.ts']

/** Tests read the sources of the packages, not their builds; the builds are tested as packed tarballs. */
export default defineConfig({
  define: { PACKAGE_VERSION: JSON.stringify('0.0.0-test') },
  resolve: {
    alias: {
      '@tokenwell/core/feishu': source('./packages/core/src/feishu/index.ts'),
      '@tokenwell/core': source('./packages/core/src/index.ts'),
      '@tokenwell/store-memory': source('./packages/store-memory/src/index.ts'),
      '@tokenwell/store-redis': source('./packages/store-redis/src/index.ts'),
      '@tokenwell/store-sqlite': source('./packages/store-sqlite/src/index.ts'),
      '@tokenwell/store-postgres': source('./packages/store-postgres/src/index.ts'),
      '@tokenwell/testkit/feishu': source('./packages/testkit/src/feishu/index.ts'),
      '@tokenwell/testkit': source('./packages/testkit/src/index.ts'),
      '@tokenwell/otel': source('./packages/otel/src/index.ts'),
      '@tokenwell/lark-sdk': source('./packages/lark-sdk/src/index.ts'),
      '@tokenwell/feishu-simulator': source('./packages/feishu-simulator/src/index.ts'),
    },
  },
  test: {
    globalSetup: ['tools/leak-search/global-setup.ts'],
    setupFiles: ['tools/leak-search/setup.ts'],
    // Of a hang, on a machine that has little time for the tests: the longest take half a minute where they have it for themselves.
    testTimeout: 180_000,
    // Each of those that run together has processes and a server of its own.
    maxConcurrency: 4,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side',
          include: [
            'packages/*/test/**/*.test.ts',
            'tools/*/test/**/*.test.ts',
            'examples/*/test/**/*.test.ts',
            'benchmarks/test/**/*.test.ts',
            'docs/test/**/*.test.ts',
          ],
          exclude: FLEETS,
          // Most tests of the stores wait for a server, a lease or another process: more of them than cores can do so at once.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'fleets', include: FLEETS, exclude: CROWDS, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'crowds', include: CROWDS, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
})
