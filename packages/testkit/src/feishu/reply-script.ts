import type { FakeEndpoint, FakeReply, HeldRequests } from './fake-replies.ts'

interface Hold {
  readonly endpoint: FakeEndpoint
  readonly released: Promise<void>
  readonly release: () => void
  waiting: number
}

/** What a test has ordered for the requests to each endpoint, and what it holds back. */
export class ReplyScript {
  readonly #queued = new Map<FakeEndpoint, (FakeReply | undefined)[]>()
  readonly #standing = new Map<FakeEndpoint, FakeReply>()
  readonly #holds = new Set<Hold>()

  next(endpoint: FakeEndpoint, replies: readonly (FakeReply | undefined)[]): void {
    this.#queued.set(endpoint, [...(this.#queued.get(endpoint) ?? []), ...replies])
  }

  always(endpoint: FakeEndpoint, reply: FakeReply): void {
    this.#standing.set(endpoint, reply)
  }

  hold(endpoint: FakeEndpoint): HeldRequests {
    let resolve = () => {}
    const released = new Promise<void>((release) => {
      resolve = release
    })
    const release = () => {
      this.#holds.delete(hold)
      resolve()
    }
    const hold: Hold = { endpoint, released, release, waiting: 0 }
    this.#holds.add(hold)
    return {
      get waiting() {
        return hold.waiting
      },
      release,
    }
  }

  restore(): void {
    this.#queued.clear()
    this.#standing.clear()
    for (const { release } of [...this.#holds]) release()
  }

  /** What the request that arrives now is answered with; undefined: as ever. */
  take(endpoint: FakeEndpoint): FakeReply | undefined {
    const queued = this.#queued.get(endpoint)
    return queued !== undefined && queued.length > 0 ? queued.shift() : this.#standing.get(endpoint)
  }

  /** Resolves when nothing holds back a request that arrives now. @param signal aborted when nobody waits for its reply any more */
  async released(endpoint: FakeEndpoint, signal: AbortSignal): Promise<void> {
    const holds = [...this.#holds].filter((hold) => hold.endpoint === endpoint)
    for (const hold of holds) {
      hold.waiting += 1
      const leave = () => {
        hold.waiting -= 1
      }
      signal.addEventListener('abort', leave, { once: true })
      void hold.released.then(() => {
        hold.waiting = 0
        signal.removeEventListener('abort', leave)
      })
    }
    await Promise.all(holds.map(({ released }) => released))
  }
}
