import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { isAlive } from './is-alive.ts'
import type { Identity } from './machine.ts'
import { guard } from './wards.ts'

/** How long a server may take to answer, and how long to end when asked to, milliseconds. */
const START_MS = 30_000
const STOP_MS = 5_000

export interface FamilyLaunch {
  readonly command: string
  readonly args: readonly string[]
  /** Where it works, and leaves `server.log`. */
  readonly folder: string
  readonly user: Identity | undefined
  /** Whether the server answers now. */
  readonly answers: () => Promise<boolean>
}

/**
 * A server that runs as another user and has processes of its own, each in a session of its own: a signal to a process group would
 * not reach them.
 */
export class ProcessFamily {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  /** Those that are frozen. Nobody but this process would let them go on. */
  #frozen: { readonly pid: number; readonly release: () => void }[] = []

  constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit')
  }

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

  /** Freezes the server and all its processes; none is born meanwhile, because the one that bears them is frozen first. */
  pause(): void {
    if (!this.isRunning || this.#frozen.length > 0) return
    signal(this.pid, 'SIGSTOP')
    const pids = [this.pid, ...childrenOf(this.pid)]
    this.#frozen = pids.map((pid) => ({ pid, release: guard({ pid }) }))
    for (const pid of pids) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const { pid, release } of this.#frozen.reverse()) {
      signal(pid, 'SIGCONT')
      release()
    }
    this.#frozen = []
  }

  /** Asks it to end with this signal, and insists after a while; also when it is frozen. */
  async stop(how: 'SIGINT' | 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return
    this.resume()
    signal(this.pid, how)
    const overdue = setTimeout(() => this.kill(), STOP_MS)
    await this.#end()
    clearTimeout(overdue)
  }

  /** Ends the server and all its processes at once. */
  async kill(): Promise<void> {
    if (!this.isRunning) return
    signal(this.pid, 'SIGSTOP')
    const children = childrenOf(this.pid)
    for (const pid of [this.pid, ...children]) signal(pid, 'SIGKILL')
    await this.#end()
    this.resume()
    // They are nobody's children now. Until the last one has gone the server cannot be started again.
    while (children.some(isAlive)) await passed(5)
  }

  /** Keeps this process alive meanwhile: somebody waits. */
  async #end(): Promise<void> {
    this.#child.ref()
    await this.#ended
  }
}

/** Starts a server and waits until it answers. */
export async function launchFamily({ command, args, folder, user, answers }: FamilyLaunch): Promise<ProcessFamily> {
  const logFile = join(folder, 'server.log')
  const log = openSync(logFile, 'a')
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log], ...user })
  closeSync(log)
  await once(child, 'spawn')
  // A process that is done with its tests ends; the watchdog then ends the server.
  child.unref()
  const release = guard({ pid: child.pid })
  const family = new ProcessFamily(child)
  family.ended.then(release)
  const deadline = performance.now() + START_MS
  while (family.isRunning && performance.now() < deadline) {
    if (await answers()) return family
    await passed(20)
  }
  await family.kill()
  throw new Error(`${command} ${args.join(' ')} did not start:\n${readFileSync(logFile, 'utf8').trim()}`)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}

function childrenOf(pid: number): number[] {
  try {
    return numbers(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
  } catch {
    return numbers(spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).stdout ?? '')
  }
}

function numbers(text: string): number[] {
  return (text.match(/\d+/g) ?? []).map(Number)
}
