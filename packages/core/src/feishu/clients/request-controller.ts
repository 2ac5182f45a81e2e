import type { Dispatcher } from '../http.ts'

type Controller = Dispatcher.DispatchController

/**
 * By what the caller steers a request: one and the same for every time it is sent, also while it waits for a token or for a limit to pass.
 */
export class RequestController implements Controller {
  rawHeaders: NonNullable<Controller['rawHeaders']> | null = null
  rawTrailers: NonNullable<Controller['rawTrailers']> | null = null
  readonly #aborter = new AbortController()
  #current: Controller | undefined
  #paused = false

  /** Aborted with the request. */
  get signal(): AbortSignal {
    return this.#aborter.signal
  }

  get aborted(): boolean {
    return this.signal.aborted
  }

  get reason(): Error | null {
    return this.aborted ? (this.signal.reason as Error) : null
  }

  get paused(): boolean {
    return this.#paused
  }

  abort(reason: Error): void {
    this.#aborter.abort(reason)
    this.#current?.abort(reason)
  }

  pause(): void {
    this.#paused = true
    this.#current?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#current?.resume()
  }

  /** The request is sent, under this controller of undici's. */
  attach(current: Controller): void {
    this.#current = current
    if (this.reason !== null) current.abort(this.reason)
  }

  /** Its reply has ended: the connection is another request's from now on. */
  detach(): void {
    this.#current = undefined
  }
}
