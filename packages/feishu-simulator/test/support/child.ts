import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

/** A process of Node that a test reads; killed with the test. */
export class Child {
  /** Everything it has printed, its errors included. */
  output = ''
  readonly #process
  readonly #ended: Promise<unknown[]>
  #heard = () => {}

  constructor(args: readonly string[]) {
    // Where it starts decides which packages it finds: the built ones.
    this.#process = spawn(process.execPath, args, { cwd: PACKAGE, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(this.#process, 'close')
    this.#ended = ended
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.#heard()
      })
    }
    void ended.then(() => this.#heard())
    onTestFinished(async () => {
      this.#process.kill('SIGKILL')
      await ended
    })
  }

  /** Waits until it has printed what fits, and returns it. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output)
      if (found !== null) return found
      if (this.#process.exitCode !== null || this.#process.signalCode !== null)
        throw new Error(`it ended without ${pattern}:\n${this.output}`)
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  /** Tells it to end. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Its exit code once it has ended by itself. */
  async exitCode(): Promise<unknown> {
    const [code] = await this.#ended
    return code
  }
}

/** The program, as built, with these arguments. */
export function program(...args: readonly string[]): Child {
  return new Child([PROGRAM, ...args])
}

/** A module in a process of its own. */
export function script(code: string): Child {
  return new Child(['--input-type=module', '--eval', code])
}
