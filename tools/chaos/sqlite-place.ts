import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { sqliteRecords } from '@tokenwell/fleet/records/sqlite'
import { guard } from '@tokenwell/test-servers'
import { inFile } from '../../packages/store-sqlite/test/support/records.ts'
import { attempted, type Pause } from './pause.ts'
import { type Loses, losing, oneOf, type Place } from './place.ts'
import type { Planned } from './plan.ts'

const LOCKER = fileURLToPath(new URL('./sqlite-locker.ts', import.meta.url))

/** What another process does with the file, and how it ends. */
const LOCKS: Readonly<Record<string, { readonly begin: string; readonly killed: boolean }>> = {
  'write lock': { begin: 'begin immediate', killed: false },
  'exclusive lock': { begin: 'begin exclusive', killed: false },
  'writer killed': { begin: 'begin immediate', killed: true },
}

/** A file, which each process opens by itself. */
export async function openSqlite(): Promise<Place> {
  const { address, remove } = await sqliteRecords()
  const path = address.kind === 'sqlite' ? address.path : ''
  const lockers = new Set<() => Promise<void>>()

  /** Somebody else has the file for a while. */
  async function lock(begin: string, killed: boolean, forMs: number, pause: Pause): Promise<void> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', LOCKER, path, begin], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const release = guard({ pid: child.pid })
    const ended = once(child, 'exit').then(release)
    const kill = async () => {
      child.kill('SIGKILL')
      await ended
    }
    lockers.add(kill)
    try {
      await Promise.race([once(child.stdout, 'data'), ended])
      await pause(forMs)
      if (!killed) child.stdin.end()
    } finally {
      // With what it had begun to write, which is nothing to anybody then.
      if (killed) child.kill('SIGKILL')
      await ended
      lockers.delete(kill)
    }
  }

  return {
    address: () => address,
    wires: [],
    async strike({ kind, forMs, draw }: Planned, pause: Pause, loses: Loses) {
      // A frozen process may have the file.
      const done = <T>(work: (database: DatabaseSync) => T): Promise<T> => attempted((async () => inFile(path, work))())
      if (kind === 'table emptied') return losing(loses, () => done((database) => database.exec('delete from records')))
      if (kind === 'record lost') {
        const records = await done((database) => database.prepare('select key from records').all())
        const key = oneOf(
          records.map((record) => String(record.key)),
          draw,
        )
        return losing(
          loses,
          async () => void (await done((database) => database.prepare('delete from records where key = ?').run(key))),
          key,
        )
      }
      const how = LOCKS[kind]
      if (how === undefined) throw new Error(`no such fault of a file: ${kind}`)
      await lock(how.begin, how.killed, forMs, pause)
    },
    async stop() {
      await Promise.all([...lockers].map((kill) => kill()))
      await remove()
    },
  }
}
