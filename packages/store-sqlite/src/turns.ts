import { setImmediate as nextRound } from 'node:timers/promises'

/** Lets one go at a time, in the order they came, each in a round of the event loop that it does not share with the one before. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** What the step comes to, once it is its turn; the next turn begins when it has settled. The signal ends the wait for the turn. */
  async take<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    const before = this.#last
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    this.#last = ended
    try {
      await untilAborted(before, signal)
      return await step()
    } finally {
      // One that gave up has others before it still, whom those behind it wait for.
      before.then(() => nextRound()).then(end, end)
    }
  }
}

/** Ends with the signal, by its reason. */
async function untilAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([answer, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
