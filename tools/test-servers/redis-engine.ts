import { randomUUID } from 'node:crypto'
import { installPackages, type Machine, thisMachine } from './machine.ts'

/** How to run a Redis server on this machine. */
export interface RedisEngine {
  readonly name: string
  /** The command that runs `redis-server` with these arguments, in this folder. */
  command(
    args: readonly string[],
    folder: string,
  ): { readonly command: string; readonly args: readonly string[]; readonly container?: string }
}

const IMAGE = 'redis:8'
const SERVERS = ['redis-server', 'valkey-server']

/** A server on the PATH, else a container, else what Debian and Ubuntu have, else the sentence that says what to do. */
export function provideRedisEngine(machine: Machine = thisMachine): RedisEngine {
  return installed(machine) ?? docker(machine) ?? debian(machine) ?? nothing()
}

function installed(machine: Machine): RedisEngine | undefined {
  for (const program of SERVERS) {
    const path = machine.find(program)
    if (path !== undefined) return { name: path, command: (args) => ({ command: path, args }) }
  }
  return undefined
}

/** On the network of the host, so that the nodes of a cluster find each other and tests find them, at the same addresses. */
function docker(machine: Machine): RedisEngine | undefined {
  const path = machine.find('docker')
  if (path === undefined || !machine.run(path, ['version'])) return undefined
  return {
    name: `${IMAGE} in Docker`,
    command(args, folder) {
      const container = `tokenwell-${randomUUID()}`
      const user = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.()}`]
      const run = ['run', '--rm', '--name', container, '--network', 'host', '--volume', `${folder}:${folder}`, '--workdir', folder, ...user]
      return { command: path, args: [...run, IMAGE, 'redis-server', ...args], container }
    },
  }
}

function debian(machine: Machine): RedisEngine | undefined {
  installPackages(['redis-server'], machine)
  return installed(machine)
}

function nothing(): never {
  throw new Error(
    'The tests need a Redis: install redis-server or valkey-server so that it is on the PATH, or start Docker, ' +
      'or set TEST_REDIS_URL to a server whose records may be touched.',
  )
}
