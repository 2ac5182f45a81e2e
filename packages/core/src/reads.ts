/** Keys that are read in one call at most. */
export const KEYS_AT_ONCE = 200

/** Calls under way at a time, as of claims: more would wait in a client's own queue while their deadlines run. */
const CALLS = 16

interface Question<Reply> {
  readonly keys: readonly string[]
  resolve(part: Part<Reply>): void
  reject(error: unknown): void
}

/** What was asked for: as many as its keys, in their order, from this place in the reply on. */
export interface Part<Reply> {
  readonly reply: Reply
  readonly from: number
}

/**
 * Reads records in as few calls as it takes: what is asked in one moment goes together, and so does what waits while as many calls are
 * under way as may be. A thousand records that are wanted at once are a few calls, and none of them waits for a thousand answers.
 */
export class Reads<Reply> {
  readonly #call: (keys: readonly string[]) => Promise<Reply>
  #waiting: Question<Reply>[] = []
  #underWay = 0
  #isGathering = false

  /** `call` replies in the order of the keys, or rejects. */
  constructor(call: (keys: readonly string[]) => Promise<Reply>) {
    this.#call = call
  }

  /** No more keys than `KEYS_AT_ONCE`. */
  read(keys: readonly string[]): Promise<Part<Reply>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keys, resolve, reject })
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
    let room = KEYS_AT_ONCE
    const end = this.#waiting.findIndex(({ keys }) => {
      room -= keys.length
      return room < 0
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(end, 1))
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
        for (const { reject } of asked) reject(error)
        // The store may be down: those who wait are to find that out together, not one after the other. They are few calls.
        this.#sendWithin(Number.POSITIVE_INFINITY)
      },
    )
  }
}
