import { deferred } from './deferred.ts'

type Listener<T> = (value: T) => void

interface Waiter {
  readonly offer: (event: string, value: unknown) => boolean
  readonly fail: (error: Error) => void
}

/** Listeners, and promises of the next notice that fits. `Carried` names every event and what it carries. */
export class Notices<Carried extends object> {
  readonly #listeners = new Set<(event: string, value: unknown) => void>()
  #waiters: Waiter[] = []

  /** Calls `listener` on each event of that name until the returned function is called. */
  on<Event extends keyof Carried & string>(event: Event, listener: Listener<Carried[Event]>): () => void {
    const filtered = (name: string, value: unknown): void => {
      if (name === event) listener(value as Carried[Event])
    }
    this.#listeners.add(filtered)
    return () => this.#listeners.delete(filtered)
  }

  /** The next event of that name that `fits`, from now on. Rejects when the simulator closes before. */
  next<Event extends keyof Carried & string>(event: Event, fits: (value: Carried[Event]) => boolean = () => true): Promise<Carried[Event]> {
    const { promise, resolve, reject } = deferred<Carried[Event]>()
    // A promise that nobody awaits when the simulator closes is not an error.
    promise.catch(() => {})
    const offer = (name: string, value: unknown): boolean => {
      if (name !== event || !fits(value as Carried[Event])) return false
      resolve(value as Carried[Event])
      return true
    }
    this.#waiters.push({ offer, fail: reject })
    return promise
  }

  emit<Event extends keyof Carried & string>(event: Event, value: Carried[Event]): void {
    this.#waiters = this.#waiters.filter((waiter) => !waiter.offer(event, value))
    for (const listener of [...this.#listeners]) listener(event, value)
  }

  /** Fails every promise that still waits. */
  close(error: Error): void {
    for (const waiter of this.#waiters) waiter.fail(error)
    this.#waiters = []
    this.#listeners.clear()
  }
}
