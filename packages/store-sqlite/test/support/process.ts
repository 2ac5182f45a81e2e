import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const RAW = fileURLToPath(new URL('./raw.mjs', import.meta.url))
const NODE = fileURLToPath(new URL('./node.ts', import.meta.url))

/** Lets TypeScript of this package run outside vitest. */
export const execArgv = ['--disable-warning=ExperimentalWarning', '--import', RAW]

/** A task of `node.ts` in a process of its own; ended with the test. */
export class NodeProcess {
  /** What the task said before its result, in order. */
  readonly said: unknown[] = []
  /** The process has loaded and waits for `go`. */
  readonly ready: Promise<void>
  readonly #child: ChildProcess
  readonly #result = Promise.withResolvers<unknown>()
  readonly #ended: Promise<unknown>
  #heard = Promise.withResolvers<void>()

  /** `limits` is shell code that runs before, in the same process. */
  constructor(task: string, args: object, limits = '') {
    const command = [process.execPath, ...execArgv, NODE, task, JSON.stringify(args)]
    const [program = '', ...rest] = limits === '' ? command : ['bash', '-c', `${limits}; exec "$@"`, 'bash', ...command]
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = Promise.race([promise, this.#result.promise.then(() => {})])
    this.#result.promise.catch(() => {})
    this.ready.catch(() => {})
    let complaints = ''
    this.#child.stderr?.on('data', (chunk) => {
      complaints += String(chunk)
    })
    // A process that was killed is not there to be told.
    this.#child.stdin?.on('error', () => {})
    if (this.#child.stdout === null) throw new Error('the process has no output')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const message: unknown = parse(line)
      if (message === 'ready') resolve()
      else if (typeof message === 'object' && message !== null && 'result' in message) this.#result.resolve(message.result)
      else if (message !== undefined) {
        this.said.push(message)
        this.#heard.resolve()
        this.#heard = Promise.withResolvers()
      }
    })
    this.#ended = once(this.#child, 'close').then(() => this.#result.reject(new Error(`the process ended without a result: ${complaints}`)))
    onTestFinished(() => this.kill())
  }

  go(): void {
    this.#child.stdin?.write('go\n')
  }

  /** What came of the task. */
  get result(): Promise<unknown> {
    return this.#result.promise
  }

  /** Resolves with the next thing the task says. */
  get heard(): Promise<void> {
    return this.#heard.promise
  }

  /** Ends it at once, wherever it is, and waits until it has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** Starts tasks at the same moment, once all have loaded, and waits for what comes of them. */
export async function together<Result>(task: string, args: readonly object[]): Promise<Result[]> {
  const processes = args.map((each) => new NodeProcess(task, each))
  await Promise.all(processes.map(({ ready }) => ready))
  for (const each of processes) each.go()
  return Promise.all(processes.map(({ result }) => result as Promise<Result>))
}

/** Undefined for half a line, of a process that was killed while it wrote. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
