/** A request for a credential, from its sender's side. Moments are true time, milliseconds. */
export interface SentRequest {
  readonly name: string
  /** The process that sent it. */
  readonly node: number
  readonly at: number
  /** How many requests one fetch of it may send. */
  readonly perFetch: number
  /** When its reply arrived; undefined while it has not. */
  endedAt?: number
}

/** The requests for credentials that processes have sent. */
export class RequestLog {
  readonly requests: SentRequest[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @param perFetch how many requests one fetch of it may send. Default 1 */
  async sent<T>(name: string, node: number, send: () => Promise<T>, perFetch = 1): Promise<T> {
    const request: SentRequest = { name, node, at: this.#now(), perFetch }
    this.requests.push(request)
    try {
      return await send()
    } finally {
      request.endedAt = this.#now()
    }
  }
}
