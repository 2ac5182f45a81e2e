import { type Profiler, Session } from 'node:inspector/promises'

/** Which parts of the code under test have run, as the engine counts them block by block. */
export class Coverage {
  readonly #session = new Session()
  readonly #seen = new Set<string>()
  readonly #isUnderTest: (url: string) => boolean

  constructor(isUnderTest: (url: string) => boolean) {
    this.#isUnderTest = isUnderTest
  }

  get blocks(): number {
    return this.#seen.size
  }

  async start(): Promise<void> {
    this.#session.connect()
    await this.#session.post('Profiler.enable')
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    await this.#session.post('Profiler.takePreciseCoverage')
  }

  /** How many blocks have run since the last call that had never run before. */
  async news(): Promise<number> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage')
    const before = this.#seen.size
    for (const script of result) if (this.#isUnderTest(script.url)) this.#note(script)
    return this.#seen.size - before
  }

  async stop(): Promise<void> {
    await this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  #note({ url, functions }: Profiler.ScriptCoverage): void {
    for (const { ranges } of functions) {
      // Once, a few times, or often: a loop that goes round once more is something else than one that does not.
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) this.#seen.add(`${url}:${startOffset}-${endOffset}:${Math.min(3, Math.floor(Math.log2(count)))}`)
      }
    }
  }
}
