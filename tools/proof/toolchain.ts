import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Full paths of what turns a model into a verifier. */
export interface Toolchain {
  readonly spin: string
  readonly compiler: string
}

/** What of this machine decides which programs there are. */
export interface Machine {
  /** Full path of a program on the PATH. */
  find(program: string): string | undefined
  /** Runs a program to its end; whether it succeeded. */
  run(command: string, args: readonly string[]): boolean
  readonly isRoot: boolean
  say(line: string): void
}

const COMPILERS = ['gcc', 'clang', 'cc']

const thisMachine: Machine = {
  find: (program) =>
    (process.env.PATH ?? '')
      .split(delimiter)
      .map((folder) => join(folder, program))
      .find(isExecutable),
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

/** Spin and a C compiler on the PATH, else what Debian and Ubuntu have, else the sentence that says what to install. */
export function provideToolchain(machine: Machine = thisMachine): Toolchain {
  const toolchain = installed(machine) ?? debian(machine)
  if (toolchain !== undefined) return toolchain
  throw new Error(
    'The proof needs Spin 6 and a C compiler: install the packages spin, gcc and libc6-dev, or put spin and gcc, clang or cc on the PATH.',
  )
}

function installed(machine: Machine): Toolchain | undefined {
  const spin = machine.find('spin')
  const compiler = compilerOf(machine)
  return spin === undefined || compiler === undefined ? undefined : { spin, compiler }
}

function compilerOf(machine: Machine): string | undefined {
  for (const program of COMPILERS) {
    const path = machine.find(program)
    if (path !== undefined) return path
  }
  return undefined
}

function debian(machine: Machine): Toolchain | undefined {
  const aptGet = machine.find('apt-get')
  if (aptGet === undefined || !machine.isRoot) return undefined
  const missing = [
    ...(machine.find('spin') === undefined ? ['spin'] : []),
    ...(compilerOf(machine) === undefined ? ['gcc', 'libc6-dev'] : []),
  ]
  const install = ['install', '--yes', '--no-install-recommends', '--option', 'DPkg::Lock::Timeout=300', ...missing]
  machine.say(`There is no ${missing[0]} on this machine: apt-get ${install.join(' ')}`)
  if (!machine.run(aptGet, install)) {
    machine.run(aptGet, ['update'])
    machine.run(aptGet, install)
  }
  return installed(machine)
}
