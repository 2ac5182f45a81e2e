import type { Draws } from './random.ts'
import type { Surroundings } from './scenario.ts'

/** How often a request is struck by a fault that is on. */
const STRIKES = 0.8

/** The faults of an upstream: each is on while at least one trouble of its kind lasts, and counted when it strikes. */
export class UpstreamFaults<Fault extends string> {
  readonly #surroundings: Surroundings
  readonly #on = new Map<Fault, number>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Returns what ends it. */
  begin(fault: Fault): () => void {
    this.#add(fault, 1)
    return () => this.#add(fault, -1)
  }

  isOn(fault: Fault): boolean {
    return (this.#on.get(fault) ?? 0) > 0
  }

  /** The first of these faults that strikes one request. */
  strike<Some extends Fault>(faults: readonly Some[], chance: Draws): Some | undefined {
    const fault = faults.find((each) => this.isOn(each) && chance.chance(STRIKES))
    if (fault !== undefined) this.struck(fault)
    return fault
  }

  struck(fault: Fault): void {
    this.#surroundings.struck(fault)
  }

  #add(fault: Fault, by: number): void {
    this.#on.set(fault, (this.#on.get(fault) ?? 0) + by)
  }
}
