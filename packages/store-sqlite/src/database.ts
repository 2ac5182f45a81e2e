import { setImmediate as nextRound, setTimeout as passed } from 'node:timers/promises'
import { type Arguments, Connection } from './connection.ts'
import { isBusy, isRefusal, presentable } from './failures.ts'
import type { Answer } from './row.ts'
import { isChange, type Question, type Sources } from './statements.ts'

/** The longest wait between two tries, milliseconds: what a lock is held for is a write to the disk, a few milliseconds at most. */
const LONGEST_WAIT_MS = 20

/**
 * The file of a store, and the waiting for it.
 *
 * The driver is synchronous, so SQLite must not wait for a lock: that would stop the process. Here the wait is a timer, and ends with the
 * operation's signal. For the same reason a process writes once per round of its event loop, however much it has to write.
 *
 * The file is opened by the first operation, and again by the next one after it failed or was replaced.
 */
export class Database {
  readonly #path: string
  readonly #open: () => Connection
  #connection: Connection | undefined
  #turns: Promise<void> = Promise.resolve()
  #closed = false

  constructor(path: string, synchronous: 'full' | 'normal', sources: Sources) {
    this.#path = path
    this.#open = () => new Connection(path, synchronous, sources)
  }

  /** The answer to a question, without the change it may call for. */
  ask(question: Question, key: string, args: Arguments, signal: AbortSignal): Promise<Answer> {
    return this.#untilFree(signal, () => this.#connected().ask(question, key, args))
  }

  /** The answer to a question, and the change it calls for. Most need none: then nothing is locked and nobody waited for. */
  async carryOut(question: Question, key: string, args: Arguments, signal: AbortSignal): Promise<Answer> {
    const answer = await this.ask(question, key, args, signal)
    if (!isChange(answer.kind)) return answer
    await untilAborted(this.#turn(), signal)
    return this.#untilFree(signal, () => this.#connected().carryOut(question, key, args))
  }

  close(): void {
    this.#closed = true
    this.#disconnect()
  }

  async #untilFree<T>(signal: AbortSignal, step: () => T): Promise<T> {
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      if (this.#closed) throw new Error('the store has been closed')
      try {
        return step()
      } catch (error) {
        if (!isBusy(error)) {
          if (!isRefusal(error)) this.#disconnect()
          throw presentable(error, this.#path)
        }
      }
      await passed(waitMs(tries), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  #connected(): Connection {
    if (this.#connection?.isCurrent === false) this.#disconnect()
    this.#connection ??= this.#open()
    return this.#connection
  }

  #disconnect(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
  }

  /** Resolves in a round of the event loop that no other write of this store has. */
  #turn(): Promise<void> {
    this.#turns = this.#turns.then(() => nextRound())
    return this.#turns
  }
}

/** 1 ms, 2, 4 … at most; never less than half of that, so that waiting costs little. */
function waitMs(tries: number): number {
  const ceiling = Math.min(2 ** tries, LONGEST_WAIT_MS)
  return ceiling * (0.5 + Math.random() / 2)
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
