/**
 * Lets so many through at a time, the others in the order in which they came. A thousand keys that are claimed in one moment must not
 * stand in a client's own queue while their deadlines run.
 */
export class Gate {
  readonly #width: number
  readonly #waiting: (() => void)[] = []
  #inside = 0

  constructor(width: number) {
    this.#width = width
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#inside += 1
    try {
      return await work()
    } finally {
      this.#inside -= 1
      if (this.#inside < this.#width) this.#waiting.shift()?.()
    }
  }

  /** Lets in everybody who waits. */
  open(): void {
    for (const enter of this.#waiting.splice(0)) enter()
  }
}
