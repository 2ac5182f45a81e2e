import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { finish } from './finish.ts'
import { freePorts } from './free-port.ts'
import { identity } from './machine.ts'
import { type MariadbEngine, provideMariadbEngine } from './mariadb-engine.ts'
import { launchFamily, type ProcessFamily } from './process-family.ts'
import { guard } from './wards.ts'

/** A server that the test may do anything to. */
export interface MariadbServer {
  readonly port: number
  /** Of the database `tokenwell`, which is empty, as the superuser. */
  readonly url: string
  readonly pid: number
  /** Its data folder, until it is stopped. */
  readonly folder: string
  /** Freezes it: connections stay, answers do not come. */
  pause(): void
  resume(): void
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

/** For tests: quick to start, small, and safe against nothing but the end of the process. */
const SETTINGS = [
  '--innodb-log-file-size=8M',
  '--innodb-buffer-pool-size=16M',
  '--innodb-flush-method=nosync',
  '--innodb-doublewrite=0',
  '--debug-no-sync',
]

/** The port of a server may be taken by somebody else between finding and using it. */
const TRIES = 3

export async function startMariadb(): Promise<MariadbServer> {
  const engine = provideMariadbEngine()
  const user = identity()
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-mariadb-'))
  const release = guard({ folder })
  const remove = async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 20 })
    release()
  }
  try {
    if (user !== undefined) await chown(folder, user.uid, user.gid)
    await layOut(engine, folder)
    for (let tries = 1; ; tries++) {
      const [port = 0] = await freePorts(1)
      try {
        return serverOf(port, folder, await startOn(engine, port, folder), remove)
      } catch (error) {
        if (tries === TRIES || !String(error).includes('Address already in use')) throw error
      }
    }
  } catch (error) {
    await remove()
    throw error
  }
}

function layOut({ installDb }: MariadbEngine, folder: string): Promise<void> {
  const superuser = '--auth-root-authentication-method=normal'
  return finish(installDb, ['--no-defaults', `--datadir=${folder}`, superuser, '--skip-test-db', '--skip-name-resolve', ...SETTINGS])
}

function startOn({ mariadbd }: MariadbEngine, port: number, folder: string): Promise<ProcessFamily> {
  const where = [`--datadir=${folder}`, `--socket=${join(folder, 'socket')}`, `--port=${port}`, '--bind-address=127.0.0.1']
  const args = ['--no-defaults', ...where, '--skip-name-resolve', ...SETTINGS]
  return launchFamily({ command: mariadbd, args, folder, user: identity(), answers: () => answers(port) })
}

function serverOf(port: number, folder: string, server: ProcessFamily, remove: () => Promise<void>): MariadbServer {
  return {
    port,
    url: `mysql://root@127.0.0.1:${port}/tokenwell`,
    folder,
    pid: server.pid,
    pause: () => server.pause(),
    resume: () => server.resume(),
    async stop() {
      await server.kill()
      await remove()
    },
  }
}

/** Whether the server answers, and has made its database. */
async function answers(port: number): Promise<boolean> {
  try {
    const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', connectTimeout: 1_000 })
    try {
      await connection.query('create database if not exists tokenwell')
    } finally {
      await connection.end()
    }
    return true
  } catch {
    return false
  }
}
