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
    // Whoever waits is given the place of one who leaves.
    if (this.#inside >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#inside += 1
    try {
      return await work()
    } finally {
      const next = this.#inside > this.#width ? undefined : this.#waiting.shift()
      if (next === undefined) this.#inside -= 1
      else next()
    }
  }

  /** Lets in everybody who waits. */
  open(): void {
    const all = this.#waiting.splice(0)
    this.#inside += all.length
    for (const enter of all) enter()
  }
}
