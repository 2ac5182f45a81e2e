import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What of this machine decides which servers there are. */
export interface Machine {
  /** Full path of a program on the PATH, or in one of these folders. */
  find(program: string, folders?: readonly string[]): string | undefined
  /** Runs a program to its end; whether it succeeded. */
  run(command: string, args: readonly string[]): boolean
  readonly isRoot: boolean
  say(line: string): void
}

export const thisMachine: Machine = {
  find: (program, folders = []) =>
    [...(process.env.PATH ?? '').split(delimiter), ...folders].map((folder) => join(folder, program)).find(isExecutable),
  run: (command, args) =>
    spawnSync(command, args, {
      stdio: 'ignore',
      timeout: 600_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    }).status === 0,
  isRoot: process.getuid?.() === 0,
  say: (line) => console.error(line),
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** As root on Debian or Ubuntu: installs these packages, and says so. Whether they are there now. */
export function installPackages(packages: readonly string[], machine: Machine): boolean {
  const aptGet = machine.find('apt-get')
  if (aptGet === undefined || !machine.isRoot) return false
  const install = ['install', '--yes', '--no-install-recommends', '--option', 'DPkg::Lock::Timeout=300', ...packages]
  machine.say(`There is no ${packages[0]} on this machine: apt-get ${install.join(' ')}`)
  if (machine.run(aptGet, install)) return true
  machine.run(aptGet, ['update'])
  return machine.run(aptGet, install)
}

/** The user that runs a server: PostgreSQL, PgBouncer and MariaDB refuse to run as root. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

/** Nobody, where this process is root. */
export function identity(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}
