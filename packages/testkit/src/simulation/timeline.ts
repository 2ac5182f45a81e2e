import { MessageChannel } from 'node:worker_threads'

interface Happening {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** More than this within one millisecond is a circle: what happens brings about the next without time passing. */
const MOST_AT_ONCE = 100_000

/**
 * The one order in which everything in a world happens. Time is true time, in milliseconds from the beginning; nobody in the world knows it,
 * each goes by a clock of their own.
 */
export class Timeline {
  #now = 0
  #order = 0
  #cancelled = 0
  /** The millisecond that it is, and how much has happened in it. */
  #millisecond = 0
  #atOnce = 0
  /** A binary heap: what is due first is on top, and of what is due at once what was scheduled first. */
  #heap: Happening[] = []

  get now(): number {
    return this.#now
  }

  /** How much is still to come. */
  get pending(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Runs `run` at a moment, or at once if it has passed. Returns what cancels it. */
  at(moment: number, run: () => void): () => void {
    const happening: Happening = { at: Math.max(moment, this.#now), order: this.#order++, run }
    this.#push(happening)
    return () => {
      if (happening.run === undefined) return
      happening.run = undefined
      this.#cancelled += 1
    }
  }

  /**
   * Lets time pass until a moment. After each happening all promises settle.
   * @throws what a happening throws, and RangeError when time stands still because there is always more to happen at once
   */
  async runUntil(end: number): Promise<void> {
    const turns = new Turns()
    try {
      await turns.next()
      for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
        this.#pop()
        const { run } = next
        if (run === undefined) {
          this.#cancelled -= 1
          continue
        }
        next.run = undefined
        this.#now = next.at
        this.#countAtOnce()
        run()
        await turns.next()
      }
      this.#now = end
    } finally {
      turns.end()
    }
  }

  #countAtOnce(): void {
    const millisecond = Math.floor(this.#now)
    this.#atOnce = millisecond === this.#millisecond ? this.#atOnce + 1 : 1
    this.#millisecond = millisecond
    if (this.#atOnce > MOST_AT_ONCE) throw new RangeError(`time stands still: more than ${MOST_AT_ONCE} things happened at once`)
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(happening)
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above] as Happening // Within the heap.
      if (!isBefore(happening, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = happening
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const isRight = right !== undefined && left !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (child === undefined || !isBefore(child, last)) break
      heap[index] = child
      index = 2 * index + (isRight ? 2 : 1)
    }
    heap[index] = last
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/**
 * Turns in which all promises settle, however long their chains are, and what was rejected with nobody there to hear it comes up: as in a turn of the
 * event loop, but by a message to oneself, which does not ask the system for I/O, and that costs more than most of what happens in a world. What
 * waits for real timers or I/O waits for a thousand such turns.
 */
class Turns {
  readonly #channel = new MessageChannel()
  #taken: () => void = () => {}

  constructor() {
    this.#channel.port1.on('message', () => this.#taken())
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#taken = resolve
      this.#channel.port2.postMessage(undefined)
    })
  }

  end(): void {
    this.#channel.port1.close()
  }
}
