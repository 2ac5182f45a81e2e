import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { guard } from '@tokenwell/test-servers'
import type { Entry, Point } from './entry.ts'
import type { Message, Name, OrderMessage, Orders, Setting } from './orders.ts'

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url))

/** How long a process may live on after it has closed everything, milliseconds. */
const LEAVE_MS = 10_000

/** `token`: the value behind the digest of a `served` entry. */
type Hear = (entry: Entry, token?: string) => void

/** One process of a fleet, seen from the test. */
export class FleetNode {
  readonly name: string
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #answers = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #reached = new Map<Point, () => void>()
  #orders = 0
  #eventUrl = ''
  #output = ''

  private constructor(name: string, child: ChildProcess, hear: Hear) {
    this.name = name
    this.#child = child
    // What it said last is read after it has ended.
    this.#ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')])
    child.on('message', (message: Message) => {
      if ('entry' in message) {
        hear(message.entry, message.token)
        if (message.entry.kind === 'reached') this.#reached.get(message.entry.point)?.()
        return
      }
      const answer = this.#answers.get(message.reply)
      this.#answers.delete(message.reply)
      if (message.error === undefined) answer?.resolve(message.value)
      else answer?.reject(new Error(`${name}: ${message.error}`))
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    void this.#ended.then(() => {
      const error = new Error(`${name} has ended (${child.signalCode ?? child.exitCode}).\n${this.#output}`)
      for (const { reject } of this.#answers.values()) reject(error)
      this.#answers.clear()
    })
  }

  /** @throws what the process says when it cannot start; it has ended then */
  static async start(setting: Setting, hear: Hear): Promise<FleetNode> {
    const child = fork(WORKER, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Node 22 says that its SQLite and its reading of TypeScript are new.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const release = guard({ pid: child.pid })
    const node = new FleetNode(setting.node, child, hear)
    void node.#ended.then(release)
    try {
      const { eventUrl } = await node.order('start', setting)
      node.#eventUrl = eventUrl
      return node
    } catch (error) {
      // Nobody is given it, so nobody else can end it.
      await node.kill()
      throw error
    }
  }

  /** Where the platform can push events to this node. */
  get eventUrl(): string {
    return this.#eventUrl
  }

  /** Whatever the process has printed. */
  get output(): string {
    return this.#output
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process was never started')
    return this.#child.pid
  }

  /** Resolves when it has ended, however it did. */
  get ended(): Promise<unknown> {
    return this.#ended
  }

  /** Its exit code, or the signal that ended it; null while it runs. */
  get ending(): number | NodeJS.Signals | null {
    return this.#child.exitCode ?? this.#child.signalCode
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async order<Each extends Name>(name: Each, argument: Parameters<Orders[Each]>[0]): Promise<ReturnType<Orders[Each]>> {
    const id = this.#orders++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#answers.set(id, { resolve, reject })
    // Whoever has just ended cannot be told anything.
    this.#child.send({ id, name, argument } satisfies OrderMessage, (error) => {
      if (error === null) return
      this.#answers.delete(id)
      reject(error)
    })
    return (await promise) as ReturnType<Orders[Each]>
  }

  /** The node stays where it is as soon as it comes to this point. Await the result to know that it is told; `arrived` that it is there. */
  async holdAt(point: Point): Promise<{ readonly arrived: Promise<void> }> {
    const arrived = new Promise<void>((resolve) => this.#reached.set(point, resolve))
    await this.order('hold', point)
    return { arrived }
  }

  /** Freezes the process. */
  stop(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Asks it to close everything. Resolves with its exit code, which is 0 when nothing kept the process alive. */
  async close(): Promise<number | NodeJS.Signals | null> {
    if (!this.isRunning) return this.ending
    await this.order('close', undefined)
    const overdue = setTimeout(() => this.#child.kill('SIGKILL'), LEAVE_MS)
    await this.#ended
    clearTimeout(overdue)
    return this.ending
  }
}
