import { setTimeout as passed } from 'node:timers/promises'
import { type RunningServer, startServer } from '@tokenwell/endpoint/server'
import { PATHS } from './settings.ts'

/** What a service prints, as far as it matters here: an event of Tokenwell, or a step of its own life. */
export interface Line {
  readonly type: string
  readonly key?: string
  readonly takeover?: boolean
}

/** Between two probes, and the longest until the answer that is waited for, milliseconds. */
const PROBE_EVERY_MS = 50
const LONGEST_MS = 20_000

/** One process of the service, seen from outside. */
export class Process {
  readonly #server: RunningServer
  readonly #inFetch: () => boolean

  private constructor(server: RunningServer, inFetch: () => boolean) {
    this.#server = server
    this.#inFetch = inFetch
  }

  /** Resolves once it listens. `hear` is told of every line that it prints, and of its URL. */
  static async start(env: Readonly<Record<string, string>>, hear: (line: Line, url: string) => void): Promise<Process> {
    /** Credentials whose lease it was granted, and whose fetch has not ended. */
    const fetching = new Set<string>()
    let closedInFetch: boolean | undefined
    let url = ''
    const server = await startServer({
      command: process.execPath,
      args: ['service.ts'],
      folder: import.meta.dirname,
      env,
      onLine(text) {
        const line = JSON.parse(text) as Line
        if (line.type === 'granted') fetching.add(line.key ?? '')
        if (line.type === 'fetch-ended') fetching.delete(line.key ?? '')
        if (line.type === 'closing') closedInFetch = fetching.size > 0
        hear(line, url)
      },
    })
    url = server.url
    return new Process(server, () => closedInFetch ?? fetching.size > 0)
  }

  get url(): string {
    return this.#server.url
  }

  /** Everything it has printed. */
  get output(): string {
    return this.#server.output
  }

  /** Whether it was fetching a token when it began to close, or, where it could not close, when it ended. */
  get endedInFetch(): boolean {
    return this.#inFetch()
  }

  /** Its exit code, or the signal that ended it. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#server.ended
  }

  signal(signal: NodeJS.Signals): void {
    this.#server.signal(signal)
  }

  /** Ends it at once, whatever it does. */
  stop(): Promise<void> {
    return this.#server.stop()
  }

  /** Probes until it says that it is ready, or that it is not. */
  async says(ready: boolean): Promise<void> {
    for (const began = performance.now(); performance.now() - began < LONGEST_MS; await passed(PROBE_EVERY_MS)) {
      const isReady = await fetch(this.url + PATHS.ready).then(
        ({ ok }) => ok,
        () => false,
      )
      if (isReady === ready) return
    }
    throw new Error(`${this.url} does not say that it is ${ready ? 'ready' : 'leaving'}:\n${this.output}`)
  }
}
