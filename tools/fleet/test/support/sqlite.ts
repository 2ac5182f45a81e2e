import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomSecret } from '../../../leak-search/index.ts'
import { startFleet } from '../../index.ts'
import type { FleetRecords } from '../../records/fleet-records.ts'
import { sqliteRecords } from '../../records/sqlite.ts'
import type { Stage } from './stage.ts'

/** A file for each fleet. */
export function sqliteStage(): Stage {
  const used: FleetRecords[] = []
  return {
    name: 'SQLite',
    fleet: async (options) => {
      const records = await sqliteRecords()
      used.push(records)
      return startFleet({ store: () => records.address, passInStore: records.passInStore, secret: randomSecret, ...options })
    },
    async dump() {
      const files = await Promise.all(
        used.map(async ({ address }) => {
          if (address.kind !== 'sqlite') return []
          const folder = dirname(address.path)
          return Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))))
        }),
      )
      return Buffer.concat(files.flat())
    },
    close: async () => {
      await Promise.all(used.map((records) => records.remove()))
    },
  }
}
