import { setTimeout as passed } from 'node:timers/promises'
import { type Arguments, Connection } from './connection.ts'
import { isBusy, isRefusal, presentable } from './failures.ts'
import type { Answer } from './row.ts'
import { isChange, type Question, type Sources } from './statements.ts'
import { Turns } from './turns.ts'

/** The longest wait between two tries, milliseconds: what a lock is held for is a write to the disk, a few milliseconds at most. */
const LONGEST_WAIT_MS = 20

/**
 * The file of a store, and the waiting for it.
 *
 * The driver is synchronous, so SQLite must not wait for a lock: that would stop the process. Here the wait is a timer, and ends with the
 * operation's signal. For the same reason a process writes once per round of its event loop, however much it has to write, and only the first
 * of those that wait for a lock tries again: a thousand that try by themselves take all the time there is.
 *
 * The file is opened by the first operation, and again by the next one after it failed or was replaced.
 */
export class Database {
  readonly #path: string
  readonly #open: () => Connection
  #connection: Connection | undefined
  readonly #writes = new Turns()
  /** Of those that found even reading locked, so that they need not wait behind those that write. */
  readonly #reads = new Turns()
  #closed = false

  constructor(path: string, synchronous: 'full' | 'normal', sources: Sources) {
    this.#path = path
    this.#open = () => new Connection(path, synchronous, sources)
  }

  /** The answer to a question, without the change it may call for. */
  async ask(question: Question, key: string, args: Arguments, signal: AbortSignal): Promise<Answer> {
    const step = () => this.#connected().ask(question, key, args)
    return this.#ifFree(signal, step) ?? this.#reads.take(signal, () => this.#untilFree(signal, step))
  }

  /** The answer to a question, and the change it calls for. Most need none: then nothing is locked and nobody waited for. */
  async carryOut(question: Question, key: string, args: Arguments, signal: AbortSignal): Promise<Answer> {
    const answer = await this.ask(question, key, args, signal)
    if (!isChange(answer.kind)) return answer
    return this.#writes.take(signal, () => this.#untilFree(signal, () => this.#connected().carryOut(question, key, args)))
  }

  close(): void {
    this.#closed = true
    this.#disconnect()
  }

  async #untilFree(signal: AbortSignal, step: () => Answer): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const answer = this.#ifFree(signal, step)
      if (answer !== undefined) return answer
      await passed(waitMs(tries), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  /** What the step comes to; undefined when another was in the way. */
  #ifFree(signal: AbortSignal, step: () => Answer): Answer | undefined {
    signal.throwIfAborted()
    if (this.#closed) throw new Error('the store has been closed')
    try {
      return step()
    } catch (error) {
      if (isBusy(error)) return undefined
      if (!isRefusal(error)) this.#disconnect()
      throw presentable(error, this.#path)
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
}

/** 1 ms, 2, 4 … at most; never less than half of that, so that waiting costs little. */
function waitMs(tries: number): number {
  const ceiling = Math.min(2 ** tries, LONGEST_WAIT_MS)
  return ceiling * (0.5 + Math.random() / 2)
}
