import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { type Conformance, describeTokenStore } from '@tokenwell/testkit'
import { storeWith } from '../../src/sqlite-store.ts'
import type { Sources } from '../../src/statements.ts'
import { moveDeadlines } from './records.ts'

/** Registers the whole conformance suite for stores with these statements. Each test has a file of its own, and two stores on it. */
export function conformance(
  test: (name: string, run: () => Promise<void>) => void,
  sources: Sources,
  synchronous: 'full' | 'normal' = 'full',
): Conformance {
  let path = ''
  return describeTokenStore({
    test,
    capabilities: { shared: true, durable: true, push: false },
    factory: () => {
      const folder = mkdtempSync(join(tmpdir(), 'tokenwell-sqlite-'))
      path = join(folder, 'records.db')
      const open = () => storeWith(sources, { path, synchronous })
      const stores = [open(), open()] as const
      return {
        stores,
        reopen: async () => open(),
        close: async () => {
          for (const store of stores) await store.close()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
    clock: { now: Date.now, pass: passed, stepBack: (ms) => moveDeadlines(path, ms) },
  })
}
