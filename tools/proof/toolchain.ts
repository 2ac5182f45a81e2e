import { installPackages, type Machine, thisMachine } from '../test-servers/machine.ts'

/** Full paths of what turns a model into a verifier. */
export interface Toolchain {
  readonly spin: string
  readonly compiler: string
}

const COMPILERS = ['gcc', 'clang', 'cc']

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
  const missing = [
    ...(machine.find('spin') === undefined ? ['spin'] : []),
    ...(compilerOf(machine) === undefined ? ['gcc', 'libc6-dev'] : []),
  ]
  return installPackages(missing, machine) ? installed(machine) : undefined
}
