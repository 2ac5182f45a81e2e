import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { withoutSecrets } from '../../scrub.ts'
import type { Token } from '../../token.ts'
import type { TokenHandle } from '../../token-handle.ts'
import type { Dispatcher } from '../http.ts'
import { HeldReply } from './held-reply.ts'
import { RequestBody } from './request-body.ts'
import { RequestController } from './request-controller.ts'

/** The header speaks of whole seconds. */
const SHORTEST_WAIT_MS = 1_000
/** Those who were told to wait at the same time do not come back at the same time. */
const WAIT_SPREAD_MS = 1_000

export interface ExchangeOptions {
  readonly dispatch: Dispatcher.Dispatch
  readonly request: Dispatcher.DispatchOptions
  /** The request's headers, without `Authorization`. */
  readonly headers: readonly string[]
  readonly handler: Dispatcher.DispatchHandler
  readonly handle: TokenHandle
  /** What the URLs of the app's own domain begin with. */
  readonly below: string
  /** The longest it waits for rate limits in all, milliseconds. */
  readonly rateLimitWaitMs: number
  readonly clock: Clock
  readonly random: Random
}

/** One request of a caller with a token, sent again where the platform refused it before it did anything, and the one reply it gets. */
export class Exchange {
  readonly #options: ExchangeOptions
  readonly #controller = new RequestController()
  /** Rejects when the caller aborts, at once: undici hears of it only when it has a connection. */
  readonly #aborted: Promise<never>
  /** undici fills it in when it begins to send, which may be later than the caller's handler is given it. */
  readonly #context = {}
  readonly #body: RequestBody
  readonly #secrets = new Set<string>()
  #waitLeftMs: number
  #last: HeldReply | undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#body = new RequestBody(options.request.body)
    this.#waitLeftMs = options.rateLimitWaitMs
    const { signal } = this.#controller
    this.#aborted = new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    // It may be that nobody waits for anything just then.
    this.#aborted.catch(() => {})
  }

  /** Never waits: from now on the caller can abort it, and its handler hears what came of it. */
  start(): void {
    this.#options.handler.onRequestStart?.(this.#controller, this.#context)
    void this.#run()
  }

  async #run(): Promise<void> {
    try {
      const reply = await this.#reply()
      this.#controller.signal.throwIfAborted()
      reply.handOn()
    } catch (error) {
      this.#fail(error)
    }
  }

  async #reply(): Promise<HeldReply> {
    try {
      return await this.#options.handle.use((token) => this.#send(token), { signal: this.#controller.signal })
    } catch (error) {
      // Refused, and the next token cannot be had, with which it could not have been sent anyway.
      if (this.#last !== undefined && !this.#body.canBeSent) return this.#last
      throw error
    }
  }

  async #send(token: Token): Promise<HeldReply> {
    // With a body that is gone the reply there was is all the caller can be told; the token has been rejected.
    if (this.#last !== undefined && !this.#body.canBeSent) return this.#last
    for (;;) {
      this.#last = await this.#attempt(token)
      const waitMs = this.#waitMs(this.#last)
      if (waitMs === undefined) return this.#last
      await this.#pause(waitMs)
    }
  }

  #attempt({ value }: Token): Promise<HeldReply> {
    const { dispatch, request, headers, handler, below } = this.#options
    this.#secrets.add(value)
    const replied = new Promise<HeldReply>((resolve, reject) => {
      const reply = new HeldReply({
        handler,
        controller: this.#controller,
        context: this.#context,
        below,
        onReply: resolve,
        onFailure: reject,
        onBreak: (error) => this.#fail(error),
      })
      dispatch({ ...request, headers: [...headers, 'authorization', `Bearer ${value}`], body: this.#body.take() }, reply)
    })
    return Promise.race([replied, this.#aborted])
  }

  /** How long to wait before it is sent again; undefined: not at all. */
  #waitMs(reply: HeldReply): number | undefined {
    const askedMs = reply.rateLimitMs
    if (askedMs === undefined || !this.#body.canBeSent) return undefined
    const waitMs = Math.max(SHORTEST_WAIT_MS, askedMs) + Math.floor(this.#options.random.fraction() * WAIT_SPREAD_MS)
    if (waitMs > this.#waitLeftMs) return undefined
    this.#waitLeftMs -= waitMs
    return waitMs
  }

  async #pause(ms: number): Promise<void> {
    let cancel = () => {}
    const over = new Promise<void>((resolve) => {
      // Somebody waits for it: the process stays up.
      cancel = this.#options.clock.schedule(resolve, ms, true)
    })
    try {
      await Promise.race([over, this.#aborted])
    } finally {
      cancel()
    }
  }

  #fail(thrown: unknown): void {
    const error = this.#controller.reason ?? thrown
    this.#options.handler.onResponseError?.(this.#controller, withoutSecrets(error, [...this.#secrets]))
  }
}
