import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RunningServer, startServer } from '@tokenwell/endpoint/server'

/** What has moved on when the function is thawed. `wall`: a machine was suspended; `both`: a process was stopped. */
export type Clocks = 'wall' | 'both'

export interface Reply {
  readonly status: number
  readonly body: { readonly code?: number; readonly tenant_key?: string; readonly error?: string }
}

/** An instance of the function: a real process, which is frozen between two calls. */
export class Instance {
  readonly #server: RunningServer
  readonly #folder: string
  #calls = 0
  #aheadMs: number

  private constructor(server: RunningServer, folder: string, aheadMs: number) {
    this.#server = server
    this.#folder = folder
    this.#aheadMs = aheadMs
  }

  /** `aheadMs`: how much time has passed before it is started. */
  static async start(env: Readonly<Record<string, string>>, clocks: Clocks, aheadMs = 0): Promise<Instance> {
    const folder = await mkdtemp(join(tmpdir(), 'tokenwell-frozen-'))
    await setClock(folder, aheadMs)
    const server = await startServer({
      command: process.execPath,
      args: ['--import', fileURLToPath(new URL('./moved-clock.ts', import.meta.url)), 'host.ts'],
      folder: join(import.meta.dirname, '..'),
      env: { ...env, CLOCK_FILE: join(folder, 'ahead'), CLOCKS: clocks },
    })
    return new Instance(server, folder, aheadMs)
  }

  get eventUrl(): string {
    return `${this.#server.url}/feishu/events`
  }

  get aheadMs(): number {
    return this.#aheadMs
  }

  /** Everything it has printed. */
  get output(): string {
    return this.#server.output
  }

  /** Calls it, and resolves with its reply; what it was told to wait for may go on. */
  async call(tenantKey: string): Promise<Reply> {
    this.#calls += 1
    const reply = await fetch(`${this.#server.url}/companies/${tenantKey}`)
    return { status: reply.status, body: (await reply.json()) as Reply['body'] }
  }

  /** An event has been pushed to it: that was a call as well. */
  wasPushed(): void {
    this.#calls += 1
  }

  /** Resolves when its calls are over, with all that they have to wait for. */
  over(): Promise<void> {
    return this.#server.printed(new RegExp(`call ${this.#calls} is over`))
  }

  freeze(): void {
    this.#server.signal('SIGSTOP')
  }

  /** So much time has passed for it while it was frozen. */
  async pass(ms: number): Promise<void> {
    this.#aheadMs += ms
    await setClock(this.#folder, this.#aheadMs)
  }

  thaw(): void {
    this.#server.signal('SIGCONT')
  }

  async stop(): Promise<void> {
    await this.#server.stop()
    await rm(this.#folder, { recursive: true })
  }
}

/** At once: whoever reads it meanwhile reads the one or the other. */
async function setClock(folder: string, aheadMs: number): Promise<void> {
  await writeFile(join(folder, 'next'), String(aheadMs))
  await rename(join(folder, 'next'), join(folder, 'ahead'))
}
