import type { Snapshot } from '@tokenwell/core'
import { drawsOf } from '../../src/simulation/random.ts'
import { SimulatedProcess } from '../../src/simulation/simulated-process.ts'
import { Timeline } from '../../src/simulation/timeline.ts'

/** Five processes that run nothing, and what an audit says of them. */
export class Audited {
  readonly timeline = new Timeline()
  readonly violations: string[] = []
  readonly #processes = Array.from({ length: 5 }, (_, index) => new SimulatedProcess(`n${index}`, this.timeline, drawsOf(1, `n${index}`)))

  readonly violate = (what: string): void => void this.violations.push(what)

  /** @param index up to 4 */
  processOf(index: number): SimulatedProcess {
    return this.#processes[index] as SimulatedProcess
  }

  pass(ms: number): Promise<void> {
    return this.timeline.runUntil(this.timeline.now + ms)
  }
}

/** What a store says of a key of which it knows nothing. */
export const record: Snapshot = { key: 'tokenwell/key', version: 0, renewInMs: 0, expiresInMs: 0, rejectedUpTo: 0 }
