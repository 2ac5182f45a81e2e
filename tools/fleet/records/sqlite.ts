import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guard } from '@tokenwell/test-servers'
import { moveDeadlines } from '../../../packages/store-sqlite/test/support/records.ts'
import type { FleetRecords } from './fleet-records.ts'

/** Records in a new file, in a temporary folder of its own. */
export async function sqliteRecords(): Promise<FleetRecords> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-fleet-'))
  const release = guard({ folder })
  const path = join(folder, 'records.db')
  return {
    address: { kind: 'sqlite', path },
    passInStore: async (ms) => moveDeadlines(path, -ms),
    remove: async () => {
      await rm(folder, { recursive: true, force: true })
      release()
    },
  }
}
