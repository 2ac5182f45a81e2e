import { type Entry, machineNow, type Point } from './entry.ts'

interface Hold {
  readonly released: Promise<void>
  readonly release: () => void
}

/** The points at which a node can be held, each once for each time it was asked for. */
export class Points {
  readonly #holds = new Map<Point, Hold>()
  readonly #tell: (entry: Entry) => void
  readonly #node: string

  constructor(node: string, tell: (entry: Entry) => void) {
    this.#node = node
    this.#tell = tell
  }

  hold(point: Point): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#holds.set(point, { released: promise, release: resolve })
  }

  release(point: Point): void {
    this.#holds.get(point)?.release()
    this.#holds.delete(point)
  }

  /** Says that the node is there, and stays if it is to be held. */
  async reach(point: Point): Promise<void> {
    const hold = this.#holds.get(point)
    if (hold === undefined) return
    this.#tell({ at: machineNow(), node: this.#node, kind: 'reached', point })
    await hold.released
  }

  isHeld(point: Point): boolean {
    return this.#holds.has(point)
  }
}
