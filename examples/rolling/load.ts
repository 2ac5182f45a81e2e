/** How many requests a second, how many tenants they are for, and how long until the next tenant is asked for the first time. */
const PER_SECOND = 40
const TENANTS = 24
const NEXT_TENANT_MS = 600

/** What became of the requests. */
export interface Tally {
  answered: number
  /** The HTTP status of each that was not answered as it should be, 0 where there was none. */
  failed: number[]
  longestMs: number
}

/**
 * Requests at an even rate, each for another tenant. The tenants come one after the other: their tokens then fall due one after the other, as in
 * a service that has run for a while.
 */
export class Load {
  readonly tally: Tally = { answered: 0, failed: [], longestMs: 0 }
  readonly #url: string
  readonly #began = performance.now()
  readonly #underWay = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #sent = 0

  constructor(url: string) {
    this.#url = url
    this.#timer = setInterval(() => this.#send(), 1_000 / PER_SECOND)
  }

  /** Resolves when the last request has been answered. */
  async end(): Promise<Tally> {
    clearInterval(this.#timer)
    await Promise.all(this.#underWay)
    return this.tally
  }

  #send(): void {
    const known = Math.min(TENANTS, 1 + Math.floor((performance.now() - this.#began) / NEXT_TENANT_MS))
    const turn = this.#sent++
    // Shifted with each round: else a tenant's requests would all go to the same service.
    const tenant = (turn + Math.floor(turn / known)) % known
    const answered = this.#ask(`${this.#url}/companies/tenant-${tenant}`)
    this.#underWay.add(answered)
    void answered.then(() => this.#underWay.delete(answered))
  }

  async #ask(url: string): Promise<void> {
    const asked = performance.now()
    const status = await fetch(url).then(
      async (reply) => {
        await reply.arrayBuffer()
        return reply.status
      },
      () => 0,
    )
    const { tally } = this
    tally.longestMs = Math.max(tally.longestMs, performance.now() - asked)
    if (status === 200) tally.answered += 1
    else tally.failed.push(status)
  }
}
