import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePorts } from './free-port.ts'
import { provideRedisEngine, type RedisEngine } from './redis-engine.ts'
import { launch, type ServerProcess } from './server-process.ts'
import { guard } from './wards.ts'

export interface RedisServerOptions {
  /** As in `redis.conf`: `{ appendonly: 'yes', 'rename-command': ['FLUSHALL', ''] }`. */
  readonly settings?: Settings
}

type Settings = Readonly<Record<string, string | readonly string[]>>

/** A server that the test may do anything to. */
export interface RedisServer {
  readonly port: number
  /** Where it hears the other nodes of its cluster. */
  readonly busPort: number
  readonly url: string
  readonly pid: number
  /** Where it keeps its files, until it is stopped. */
  readonly folder: string
  /** Freezes it: connections stay, answers do not come. */
  pause(): void
  resume(): void
  /** Ends it without a warning. Its port and its files stay its own. */
  kill(): Promise<void>
  /** Starts it again, on the same port and with the same files; first kills it if it runs. */
  restart(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

const SENTINEL = 'sentinel.conf'
/** The port of a server may be taken by somebody else between finding and using it. */
const TRIES = 3

let engine: RedisEngine | undefined

export async function startRedis({ settings = {} }: RedisServerOptions = {}): Promise<RedisServer> {
  for (let tries = 1; ; tries++) {
    const [port = 0, busPort = 0] = await freePorts(2)
    const bus = settings['cluster-enabled'] === 'yes' ? { 'cluster-port': String(busPort) } : {}
    try {
      const args = flags({ save: '', appendonly: 'no', ...settings, ...bus, port: String(port) })
      return await startOn(port, args, busPort)
    } catch (error) {
      if (tries === TRIES || !String(error).includes('Address already in use')) throw error
    }
  }
}

/** A Sentinel with this configuration file, which it rewrites as it goes. */
export async function startSentinel(port: number, configuration: string): Promise<RedisServer> {
  return startOn(port, [SENTINEL, '--sentinel'], 0, (folder) => writeFile(join(folder, SENTINEL), configuration))
}

/** A Redis to share with others: the one of `TEST_REDIS_URL`, else one that is started. For tests that keep to keys of their own. */
export interface SharedRedis {
  readonly url: string
  stop(): Promise<void>
}

export async function provideRedis(): Promise<SharedRedis> {
  const url = process.env.TEST_REDIS_URL
  return url ? { url, stop: async () => {} } : startRedis()
}

function flags(settings: Settings): string[] {
  return Object.entries({ bind: '127.0.0.1', 'protected-mode': 'no', ...settings }).flatMap(([name, value]) => [`--${name}`, value].flat())
}

async function startOn(
  port: number,
  args: readonly string[],
  busPort: number,
  prepare = async (_folder: string): Promise<void> => {},
): Promise<RedisServer> {
  engine ??= provideRedisEngine()
  const chosen = engine
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-redis-'))
  const start = (): Promise<ServerProcess> =>
    launch({ ...chosen.command(args, folder), folder, answers: (signal) => answers(port, signal) })
  const release = guard({ folder })
  const remove = async () => {
    await rm(folder, { recursive: true, force: true })
    release()
  }
  let server: ServerProcess
  try {
    await prepare(folder)
    server = await start()
  } catch (error) {
    await remove()
    throw error
  }
  return {
    port,
    busPort,
    url: `redis://127.0.0.1:${port}`,
    folder,
    get pid() {
      return server.pid
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    kill: () => server.kill(),
    async restart() {
      await server.kill()
      server = await start()
    },
    async stop() {
      await server.stop()
      await remove()
    },
  }
}

/** Resolves once a server answers on this port, be it with a refusal. */
async function answers(port: number, signal: AbortSignal): Promise<void> {
  const client = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false, maxRetriesPerRequest: null, retryStrategy: () => 20 })
  client.on('error', () => {})
  const giveUp = () => client.disconnect()
  signal.addEventListener('abort', giveUp)
  try {
    await client.ping().catch((error: Error) => {
      if (error.name !== 'ReplyError') throw error
    })
  } finally {
    signal.removeEventListener('abort', giveUp)
    client.disconnect()
  }
}
