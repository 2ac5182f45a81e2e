/** Keys that are read in one call at most: what a store answers well within a deadline. */
export const KEYS_AT_ONCE = 200

/** Calls under way at a time. */
const CALLS = 4

interface Question<Reply> {
  readonly keys: readonly string[]
  resolve(part: Part<Reply>): void
  reject(error: unknown): void
}

/** Where in a reply what was asked for begins. */
export interface Part<Reply> {
  readonly reply: Reply
  readonly from: number
}

/**
 * Reads records. While as many calls are under way as may be, whoever comes is asked for together with the others who did: a thousand
 * records that are wanted in one moment are read in a few calls, and none of them waits for a thousand answers.
 */
export class Reads<Reply> {
  readonly #call: (keys: readonly string[]) => Promise<Reply>
  #waiting: Question<Reply>[] = []
  #underWay = 0

  /** `call` replies in the order of the keys. */
  constructor(call: (keys: readonly string[]) => Promise<Reply>) {
    this.#call = call
  }

  read(keys: readonly string[]): Promise<Part<Reply>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keys, resolve, reject })
      if (this.#underWay < CALLS) this.#send()
    })
  }

  /** Asks for as many of those who wait as go into one call. */
  #send(): void {
    const asked: Question<Reply>[] = []
    const keys: string[] = []
    for (const question of this.#waiting) {
      if (asked.length > 0 && keys.length + question.keys.length > KEYS_AT_ONCE) break
      asked.push(question)
      keys.push(...question.keys)
    }
    this.#waiting.splice(0, asked.length)
    this.#underWay += 1
    this.#call(keys).then(
      (reply) => {
        this.#underWay -= 1
        let from = 0
        for (const { keys, resolve } of asked) {
          resolve({ reply, from })
          from += keys.length
        }
        if (this.#waiting.length > 0 && this.#underWay < CALLS) this.#send()
      },
      (error: unknown) => {
        this.#underWay -= 1
        for (const { reject } of asked) reject(error)
        // The store is down: those who wait are to find that out together, not one after the other.
        while (this.#waiting.length > 0) this.#send()
      },
    )
  }
}
