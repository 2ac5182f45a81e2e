import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { freePorts, guard, isAlive } from '@tokenwell/test-servers'

/** A server that a user would start, as a process of its own. */
export interface RunningServer {
  readonly url: string
  /** Everything it has printed. */
  readonly output: string
  /** Resolves once it has ended, with its exit code or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Resolves once it has printed this. Rejects when it ends before. */
  printed(text: RegExp): Promise<void>
  /** Sends it, and whatever it has started, a signal: `SIGTERM` asks it to end, `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  signal(signal: NodeJS.Signals): void
  /** Ends it, and whatever it has started. */
  stop(): Promise<void>
}

export interface ServerLaunch {
  readonly command: string
  readonly args: readonly string[]
  readonly folder: string
  /** What it takes from its environment, besides `PORT`. */
  readonly env: Readonly<Record<string, string>>
  /** Told of every whole line that it prints to its standard output, as it comes. */
  readonly onLine?: (line: string) => void
}

/** What servers print when they can be called: Next.js says Ready, the others what the examples have them say. */
const LISTENING = /listening|Ready in/

/** Starts a server on a free port, and resolves once it says that it listens. */
export async function startServer({ command, args, folder, env, onLine = () => {} }: ServerLaunch): Promise<RunningServer> {
  const [port] = await freePorts(1)
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A command such as `next` starts processes of its own: they are ended together.
    detached: true,
    // Frameworks keep to themselves what they would print if they believe to be tested.
    env: { ...process.env, NODE_ENV: undefined, NODE_OPTIONS: undefined, NEXT_TELEMETRY_DISABLED: '1', ...env, PORT: String(port) },
  })
  await once(child, 'spawn')
  const group = -(child.pid as number) // It has one: it was spawned.
  const release = guard({ pid: group })
  createInterface({ input: child.stdout }).on('line', onLine)
  // Comes when the last process that could print has ended.
  const closed = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals)[]) => {
    release()
    return (code ?? signal) as number | NodeJS.Signals // One of them is there.
  })

  let output = ''
  let ended = false
  const readers = new Set<() => void>()
  const tell = () => {
    for (const read of readers) read()
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      tell()
    })
  }
  void closed.then(() => {
    ended = true
    tell()
  })

  function printed(text: RegExp): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const read = () => {
      if (text.test(output)) resolve()
      else if (ended) reject(new Error(`${command} ${args.join(' ')} ended without printing ${text}:\n${output}`))
    }
    readers.add(read)
    read()
    return promise.finally(() => readers.delete(read))
  }

  function signal(signal: NodeJS.Signals): void {
    // It may have ended, and nobody has been told yet.
    if (!ended && isAlive(group)) process.kill(group, signal)
  }

  async function stop(): Promise<void> {
    signal('SIGKILL')
    await closed
  }

  await printed(LISTENING)
  return {
    url: `http://127.0.0.1:${port}`,
    get output() {
      return output
    },
    ended: closed,
    printed,
    signal,
    stop,
  }
}
