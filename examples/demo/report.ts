import { count, duration, table } from './table.ts'

/** What came of one stage. */
export interface Outcome {
  readonly callers: number
  /** Requests for a token, counted by the platform. */
  readonly requests: number
  /** Callers who had no token after one turn of the event loop. */
  readonly blocked: number
  readonly slowestMs: number
  /** Callers who were given a token that the platform does not accept, or an error. */
  readonly wrong: number
}

/** What must come of it. */
export interface Expected {
  readonly requests: number | { readonly atMost: number }
  /** Whether callers may have to wait. Default false. */
  readonly mayBlock?: boolean
}

/** The stages of a demo, as a table, and whatever in them was not as it should be. */
export class Report {
  readonly #rows: string[][] = []
  readonly #faults: string[] = []

  add(name: string, outcome: Outcome, { requests, mayBlock = false }: Expected): void {
    this.#rows.push([
      name,
      count(outcome.callers),
      count(outcome.requests),
      count(outcome.blocked),
      duration(outcome.slowestMs),
      outcome.wrong === 0 ? 'all valid' : `${count(outcome.wrong)} NOT valid`,
    ])
    const isRight = typeof requests === 'number' ? outcome.requests === requests : outcome.requests <= requests.atMost
    const expected = typeof requests === 'number' ? count(requests) : `at most ${count(requests.atMost)}`
    if (!isRight) this.fault(`${name}: ${count(outcome.requests)} token requests, expected ${expected}`)
    if (!mayBlock && outcome.blocked > 0) this.fault(`${name}: ${count(outcome.blocked)} callers were blocked`)
    if (outcome.wrong > 0) this.fault(`${name}: ${count(outcome.wrong)} callers got no valid token`)
    if (outcome.callers === 0) this.fault(`${name}: nobody called`)
  }

  /** Something was not as it should be. */
  fault(what: string): void {
    this.#faults.push(what)
  }

  get faults(): readonly string[] {
    return this.#faults
  }

  toString(): string {
    return table(['what', 'callers', 'token requests', 'blocked callers', 'slowest get', 'tokens'], this.#rows)
  }
}
