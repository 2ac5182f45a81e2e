import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { guard } from './wards.ts'

/** How long a server may take to answer, and how long to end when asked to, milliseconds. */
const START_MS = 20_000
const STOP_MS = 5_000

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  /** Name of the container, if the command runs one. */
  readonly container?: string
  /** Where it works, and leaves `server.log`. */
  readonly folder: string
  /** Resolves once the server answers. */
  readonly answers: (signal: AbortSignal) => Promise<void>
}

/** A server that runs, or ran. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly #container: string | undefined
  readonly #ended: Promise<unknown>

  constructor(child: ChildProcess, container: string | undefined) {
    this.#child = child
    this.#container = container
    this.#ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve()
  }

  /** Of the server, or of the container's client. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the server was never started')
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get ended(): Promise<unknown> {
    return this.#ended
  }

  /** Keeps this process alive meanwhile: somebody waits. */
  async #end(): Promise<void> {
    this.#child.ref()
    await this.#ended
  }

  /** `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGKILL'): void {
    if (!this.isRunning) return
    if (this.#container === undefined) this.#child.kill(signal)
    else spawnSync('docker', ['kill', '--signal', signal, this.#container], { stdio: 'ignore' })
  }

  /** Asks it to end, and insists after a while; also when it is frozen. */
  async stop(): Promise<void> {
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    const insist = setTimeout(() => this.signal('SIGKILL'), STOP_MS)
    await this.#end()
    clearTimeout(insist)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#end()
  }
}

/** Starts a server and waits until it answers. */
export async function launch({ command, args, container, folder, answers }: Launch): Promise<ServerProcess> {
  const logFile = join(folder, 'server.log')
  const log = openSync(logFile, 'a')
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log] })
  closeSync(log)
  await once(child, 'spawn')
  // A process that is done with its tests ends; the watchdog then ends the server.
  child.unref()
  const release = guard(container === undefined ? { pid: child.pid } : { container })
  const server = new ServerProcess(child, container)
  server.ended.then(release)
  const giveUp = new AbortController()
  const overdue = setTimeout(() => giveUp.abort(), START_MS)
  try {
    const outcome = await Promise.race([answers(giveUp.signal).then(() => 'answers' as const), server.ended.then(() => 'ended' as const)])
    if (outcome === 'ended') throw new Error(`${command} ended at once`)
  } catch (cause) {
    await server.kill()
    throw new Error(`${command} ${args.join(' ')} did not start:\n${readFileSync(logFile, 'utf8').trim()}`, { cause })
  } finally {
    clearTimeout(overdue)
    giveUp.abort()
  }
  return server
}
