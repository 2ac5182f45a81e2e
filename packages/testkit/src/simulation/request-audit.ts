import type { SentRequest } from './request-log.ts'

const MINUTE_MS = 60_000

/** Fetches of one credential in any minute: of a fleet with a store, and of each process without one. */
const PER_MINUTE = 9
const PER_MINUTE_ALONE = 8

/** A success ends a row of failures: until a wait is as long as the life of a short-lived token, so many requests more may follow it. */
const PER_SUCCESS = 5

/** For so long after it was last heard of a trouble may still have to do with a request, milliseconds. */
const AFTERMATH_MS = 3 * MINUTE_MS

/**
 * Holds the requests for credentials against I1 and I10. Processes that could not reach the store count for themselves for a while, and a
 * store that has forgotten what it knew, or had its clock set, begins to count anew.
 */
export class RequestAudit {
  readonly #violate: (what: string) => void
  /** By process: when it was without the store. */
  readonly #alone = new Map<number, number[]>()
  readonly #forgotten: number[] = []
  /** By the key of the record. */
  readonly #published = new Map<string, number[]>()

  constructor(violate: (what: string) => void) {
    this.#violate = violate
  }

  /** A process is without the store, or has lost what it knew. */
  alone(node: number, at: number): void {
    add(this.#alone, node, at)
  }

  /** A token is there for everybody. */
  published(key: string, at: number): void {
    add(this.#published, key, at)
  }

  /** The store knows nothing of the last requests, or takes them for long gone. */
  forgot(at: number): void {
    this.#forgotten.push(at)
  }

  check(requests: readonly SentRequest[], { isUntroubled }: { readonly isUntroubled: boolean }): void {
    for (const [name, sent] of Map.groupBy(requests, (each) => each.name)) {
      this.#checkMinutes(name, sent)
      if (isUntroubled) this.#checkOverlaps(name, sent)
    }
  }

  #checkMinutes(name: string, sent: readonly SentRequest[]): void {
    const published = this.#published.get(`tokenwell/${name}`) ?? []
    let first = 0
    for (const [index, { at, perFetch }] of sent.entries()) {
      while ((sent[first]?.at ?? at) <= at - MINUTE_MS) first += 1
      const inAMinute = Math.ceil((index - first + 1) / perFetch)
      if (inAMinute <= PER_MINUTE) continue
      const since = (moment: number) => moment <= at && moment > at - MINUTE_MS - AFTERMATH_MS
      const alone = [...this.#alone.values()].filter((moments) => moments.some(since)).length
      const successes = published.filter((moment) => moment <= at && moment > at - MINUTE_MS).length
      const bound = PER_MINUTE * (1 + this.#forgotten.filter(since).length) + PER_MINUTE_ALONE * alone + PER_SUCCESS * successes
      if (inAMinute > bound) {
        this.#violate(`I10: ${name} was fetched ${inAMinute} times in the minute before ${(at / 1_000).toFixed(3)} s; at most ${bound}`)
        return
      }
    }
  }

  #checkOverlaps(name: string, sent: readonly SentRequest[]): void {
    for (const [index, { at }] of sent.entries()) {
      const before = sent[index - 1]
      if (before !== undefined && (before.endedAt ?? Number.POSITIVE_INFINITY) > at) {
        this.#violate(`I1: ${name} was asked for twice at once at ${(at / 1_000).toFixed(3)} s, with nothing wrong`)
      }
    }
  }
}

function add<Key>(to: Map<Key, number[]>, key: Key, at: number): void {
  const moments = to.get(key) ?? []
  moments.push(at)
  to.set(key, moments)
}
