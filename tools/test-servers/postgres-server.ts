import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { Client } from 'pg'
import { finish } from './finish.ts'
import { freePorts } from './free-port.ts'
import { identity } from './machine.ts'
import { type PostgresVersion, providePostgresEngine } from './postgres-engine.ts'
import { launchFamily, type ProcessFamily } from './process-family.ts'
import { guard } from './wards.ts'

export interface PostgresServerOptions {
  /** Default `embedded`. */
  readonly version?: PostgresVersion
  /** As in `postgresql.conf`: `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A server that the test may do anything to. */
export interface PostgresServer {
  readonly port: number
  /** Of the database `postgres`, as its superuser. */
  readonly url: string
  readonly pid: number
  /** Its data folder, until it is stopped. */
  readonly folder: string
  /** Freezes it, with all its processes: connections stay, answers do not come. */
  pause(): void
  resume(): void
  /** Ends it without a warning. Its port and its files stay its own. */
  kill(): Promise<void>
  /** Starts it again, on the same port and with the same files; first kills it if it runs. */
  restart(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export interface PostgresReplica extends PostgresServer {
  /** Resolves once it takes writes. */
  promote(): Promise<void>
}

/** For tests: quick to start, small, and safe against nothing but the end of a process. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Files in the data folder: nothing stays in memory when the server is killed.
  dynamic_shared_memory_type: 'mmap',
  shared_buffers: '16MB',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  wal_keep_size: '64MB',
  lc_messages: 'C',
}

/** The port of a server may be taken by somebody else between finding and using it. */
const TRIES = 3

export async function startPostgres({ version = 'embedded', settings = {} }: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { initdb } = providePostgresEngine(version)
  return startIn(version, settings, (folder) =>
    finish(initdb, ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--wal-segsize=1']),
  )
}

/** A server that follows the primary, asynchronously, and answers reads. The primary must be of the same version. */
export async function startPostgresReplica(
  primary: PostgresServer,
  { version = 'embedded' }: PostgresServerOptions = {},
): Promise<PostgresReplica> {
  const replica = await startIn(version, {}, (folder) => copyOf(primary, folder))
  return {
    ...replica,
    get pid() {
      return replica.pid
    },
    promote: () => promote(replica.port),
  }
}

/** A server that shares its processor with many others takes its time for a connection. */
const CONNECTING_MS = 10_000
const PROMOTION_MS = 60_000
const PROMOTION_POLL_MS = 20

/** `pg_promote()` that waits is a query on a standby: what is being replayed may cancel it, and the promotion goes on. */
async function promote(port: number): Promise<void> {
  const until = performance.now() + PROMOTION_MS
  await withClient(port, (client) => client.query('select pg_promote(wait => false)'))
  while (!(await isPrimary(port))) {
    if (performance.now() >= until) throw new Error(`the replica on port ${port} was not promoted within ${PROMOTION_MS} ms`)
    await passed(PROMOTION_POLL_MS)
  }
}

async function isPrimary(port: number): Promise<boolean> {
  try {
    const { rows } = await withClient(port, (client) => client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby'))
    return rows[0]?.standby === false
  } catch {
    return false
  }
}

/** A PostgreSQL to share with others: the one of `TEST_POSTGRES_URL`, else one that is started. For tests that keep to schemas of their own. */
export interface SharedPostgres {
  readonly url: string
  stop(): Promise<void>
}

export async function providePostgres(): Promise<SharedPostgres> {
  const url = process.env.TEST_POSTGRES_URL
  return url ? { url, stop: async () => {} } : startPostgres()
}

async function startIn(
  version: PostgresVersion,
  settings: Readonly<Record<string, string>>,
  prepare: (folder: string) => Promise<void>,
): Promise<PostgresServer> {
  const { postgres } = providePostgresEngine(version)
  const user = identity()
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-postgres-'))
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  const release = guard({ folder })
  const remove = async () => {
    removeSharedMemory(folder)
    await rm(folder, { recursive: true, force: true, maxRetries: 20 })
    release()
  }
  const startOn = (port: number): Promise<ProcessFamily> => {
    const args = Object.entries({ ...SETTINGS, ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    return launchFamily({ command: postgres, args: ['-D', folder, ...args], folder, user, answers: () => answers(port) })
  }
  try {
    await prepare(folder)
    for (let tries = 1; ; tries++) {
      const [port = 0] = await freePorts(1)
      try {
        return serverOf(port, folder, await startOn(port), () => startOn(port), remove)
      } catch (error) {
        if (tries === TRIES || !String(error).includes('Address already in use')) throw error
      }
    }
  } catch (error) {
    await remove()
    throw error
  }
}

function serverOf(
  port: number,
  folder: string,
  first: ProcessFamily,
  start: () => Promise<ProcessFamily>,
  remove: () => Promise<void>,
): PostgresServer {
  let family = first
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    folder,
    get pid() {
      return family.pid
    },
    pause: () => family.pause(),
    resume: () => family.resume(),
    kill: () => family.kill(),
    async restart() {
      await family.kill()
      family = await start()
    },
    async stop() {
      // Without waiting for its clients.
      await family.stop('SIGINT')
      await remove()
    },
  }
}

/** What a server that was killed leaves behind in memory: a few bytes, by which the next one sees whether somebody uses the folder. */
function removeSharedMemory(folder: string): void {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return
  const [, id] = /^\s*\d+\s+(\d+)\s*$/.exec(readFileSync(file, 'utf8').split('\n')[6] ?? '') ?? []
  if (id !== undefined) spawnSync('sh', ['-c', 'ipcrm -m "$0"', id], { stdio: 'ignore' })
}

/** Copies the files of a running server into this folder, as those of a standby. By hand, because not every package has `pg_basebackup`. */
async function copyOf(primary: PostgresServer, folder: string): Promise<void> {
  await withClient(primary.port, async (client) => {
    await client.query("select pg_backup_start('replica', true)")
    await finish('sh', [
      '-c',
      'cp -a "$0"/. "$1"/ && rm -rf "$1"/pg_wal/* "$1"/postmaster.pid "$1"/server.log && chmod 700 "$1"',
      primary.folder,
      folder,
    ])
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    await writeFile(join(folder, 'backup_label'), rows[0]?.labelfile ?? '')
    await writeFile(join(folder, 'standby.signal'), '')
    const connection = `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'\n`
    await writeFile(join(folder, 'postgresql.auto.conf'), connection)
    const user = identity()
    if (user === undefined) return
    for (const file of ['backup_label', 'standby.signal', 'postgresql.auto.conf']) await chown(join(folder, file), user.uid, user.gid)
  })
}

async function withClient<T>(port: number, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', connectionTimeoutMillis: CONNECTING_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    return await use(client)
  } finally {
    await client.end()
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    await withClient(port, (client) => client.query('select 1'))
    return true
  } catch {
    return false
  }
}
