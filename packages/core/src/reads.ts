/** Keys that are read in one call at most. */
export const KEYS_AT_ONCE = 200

/** Calls under way at a time, as of claims: more would wait in a client's own queue while their deadlines run. */
const CALLS = 16

interface Question<Reply> {
  readonly keys: readonly string[]
  /** It was asked once, in vain. */
  hasFailed: boolean
  resolve(part: Part<Reply>): void
  reject(error: unknown): void
}

/** What was asked for: as many as its keys, in their order, from this place in the reply on. */
export interface Part<Reply> {
  readonly reply: Reply
  readonly from: number
}

/**
 * Reads records, in as few calls as it takes: what is asked in one moment goes together, and so does what waits while as many calls are
 * under way as may be. A thousand records that are wanted at once are five calls, and none of them waits for a thousand answers.
 *
 * Each question has two tries. The second one is its own: a record that no call can read, or whose node is down, is no matter of others.
 */
export class Reads<Reply> {
  readonly #call: (keys: readonly string[]) => Promise<Reply>
  #waiting: Question<Reply>[] = []
  #underWay = 0
  #isGathering = false

  /** `call` is one try; it replies in the order of the keys. */
  constructor(call: (keys: readonly string[]) => Promise<Reply>) {
    this.#call = call
  }

  /** No more keys than `KEYS_AT_ONCE`. `first`: before whoever waits already. */
  read(keys: readonly string[], first = false): Promise<Part<Reply>> {
    return new Promise((resolve, reject) => {
      const question = { keys, hasFailed: false, resolve, reject }
      if (first) this.#waiting.unshift(question)
      else this.#waiting.push(question)
      if (this.#isGathering) return
      this.#isGathering = true
      void Promise.resolve().then(() => {
        this.#isGathering = false
        this.#sendWithin(CALLS)
      })
    })
  }

  #sendWithin(calls: number): void {
    while (this.#waiting.length > 0 && this.#underWay < calls) this.#send(this.#next())
  }

  /** Takes from those who wait what goes into one call. */
  #next(): Question<Reply>[] {
    let count = 0
    let keys = 0
    for (const question of this.#waiting) {
      keys += question.keys.length
      if (count > 0 && (question.hasFailed || keys > KEYS_AT_ONCE)) break
      count += 1
      if (question.hasFailed) break
    }
    return this.#waiting.splice(0, count)
  }

  #send(asked: readonly Question<Reply>[]): void {
    this.#underWay += 1
    this.#call(asked.flatMap(({ keys }) => keys)).then(
      (reply) => {
        this.#underWay -= 1
        let from = 0
        for (const { keys, resolve } of asked) {
          resolve({ reply, from })
          from += keys.length
        }
        this.#sendWithin(CALLS)
      },
      (error: unknown) => {
        this.#underWay -= 1
        const [first] = asked
        if (first?.hasFailed) {
          first.reject(error)
          // The store is down: those who wait are to find that out together, not one after the other.
          this.#sendWithin(Number.POSITIVE_INFINITY)
        } else {
          for (const question of asked) question.hasFailed = true
          this.#waiting.unshift(...asked)
          this.#sendWithin(CALLS)
        }
      },
    )
  }
}
