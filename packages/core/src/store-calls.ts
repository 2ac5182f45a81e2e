import { type Clock, departure } from './clock.ts'
import { managerClosed, TokenError } from './errors.ts'
import type { StoreCall } from './events.ts'
import { Gate } from './gate.ts'
import { type Part, Reads } from './reads.ts'
import { scrubbedError } from './scrub.ts'
import type { Claim, ClaimRequest, Operation, Publication, PublishRequest, SettleRequest, Snapshot, TokenStore, Version } from './store.ts'
import { changeOf, claimOf, publicationOf, snapshotOf } from './store-answers.ts'

/** Claims, and second tries of reads, under way at a time: enough for any store, and few enough to be answered well within a deadline. */
const AT_ONCE = 16

/** Takes note of work, and returns it. */
export type Track = <T>(work: Promise<T>) => Promise<T>

/** A store's answer. */
export interface Answer<T> {
  /** When the request for it was sent, by the node's monotonic clock. Worked out when it is read; see {@link departure}. */
  readonly sentAt: number
  readonly answer: T
}

/**
 * The store as the rest of core uses it: keys without the namespace, every operation within a deadline and sent a second time when the
 * first got no answer (each is harmless twice), every answer checked. Rejects with a `TokenError` and nothing else.
 */
export class StoreCalls {
  readonly #store: TokenStore
  readonly #prefix: string
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #called: (call: StoreCall) => void
  readonly #track: Track
  #hasEnded = false
  #takesClaims = true
  readonly #claims = new Gate(AT_ONCE)
  readonly #reads = new Reads((keys) => this.#readOnce(keys))
  readonly #secondReads = new Gate(AT_ONCE)

  /** `called` is told of every try of an operation. Who closes the manager waits for what `track` is given. */
  constructor(
    store: TokenStore,
    namespace: string,
    timeoutMs: number,
    clock: Clock,
    { called, track }: { readonly called: (call: StoreCall) => void; readonly track: Track },
  ) {
    this.#store = store
    this.#prefix = `${namespace}/`
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#called = called
    this.#track = track
  }

  async read(key: string): Promise<Answer<Snapshot>> {
    const { answer, sentAt } = await this.readAll([key])
    // As many as were asked for.
    return answered(sentAt, answer[0] as Snapshot)
  }

  /** As `read`, and waits for nobody: for what a fetch may need while its lease runs. */
  async readNow(key: string): Promise<Answer<Snapshot>> {
    const prefixed = this.#prefix + key
    const reply = await this.#send('read', key, (operation) => this.#store.read([prefixed], operation))
    return checked('read', reply, () => snapshotOf(prefixed, reply.answer[0]))
  }

  /** In the order of the keys, of which there are no more than `KEYS_AT_ONCE`. */
  async readAll(keys: readonly string[]): Promise<{ readonly sentAt: () => number; readonly answer: readonly Snapshot[] }> {
    const { reply, from } = await this.#track(this.#reads.read(keys).catch(() => this.#readAgain(keys)))
    const answer = understood('read', () => keys.map((key, index) => snapshotOf(this.#prefix + key, reply.answer[from + index])))
    return { sentAt: () => reply.sentAt, answer }
  }

  async claim(key: string, attempt: string, request: ClaimRequest): Promise<Answer<Claim>> {
    const prefixed = this.#prefix + key
    const reply = await this.#claim(key, (operation) => this.#store.claim(prefixed, attempt, request, operation))
    return checked('claim', reply, (answer) => claimOf(prefixed, answer))
  }

  /** `request` is asked for what to send at the moment of sending: the durations in it shrink as time passes. */
  async publish(key: string, attempt: string, fence: Version, request: (now: number) => PublishRequest): Promise<Answer<Publication>> {
    const secrets: string[] = []
    const prefixed = this.#prefix + key
    const reply = await this.#send(
      'publish',
      key,
      (operation, now) => {
        const asked = request(now)
        secrets.push(asked.value)
        return this.#store.publish(prefixed, attempt, fence, asked, operation)
      },
      secrets,
    )
    return checked('publish', reply, (answer) => publicationOf(prefixed, answer))
  }

  async settle(key: string, attempt: string, fence: Version, request: SettleRequest): Promise<Answer<Snapshot>> {
    const prefixed = this.#prefix + key
    const reply = await this.#send('settle', key, (operation) => this.#store.settle(prefixed, attempt, fence, request, operation))
    return checked('settle', reply, (answer) => snapshotOf(prefixed, answer))
  }

  async invalidate(key: string, version: Version): Promise<Answer<Snapshot>> {
    const prefixed = this.#prefix + key
    const reply = await this.#send('invalidate', key, (operation) => this.#store.invalidate(prefixed, version, operation))
    return checked('invalidate', reply, (answer) => snapshotOf(prefixed, answer))
  }

  /** Switches hints on; `listener` gets keys without the namespace, and no key when some hints may have been lost. */
  async subscribe(listener: (key: string | undefined, version: Version) => void): Promise<() => Promise<void>> {
    const opening = this.#store.subscribe?.((change) => {
      const heard = changeOf(change)
      if (heard?.kind === 'gap') listener(undefined, 0)
      else if (heard?.key.startsWith(this.#prefix)) listener(heard.key.slice(this.#prefix.length), heard.version)
    })
    if (opening === undefined) throw incompatible('subscribe')
    try {
      const unsubscribe: unknown = (await this.#within('subscribe', () => opening)).answer
      // Taken for a subscription, nothing at all would be tried again at once, for ever.
      if (typeof unsubscribe !== 'function') throw incompatible('subscribe')
      return async () => {
        await this.#within('unsubscribe', async () => unsubscribe())
      }
    } catch (error) {
      // A subscription that comes about after all must not outlive the one who gave it up.
      Promise.resolve(opening)
        .then((unsubscribe) => unsubscribe())
        .catch(() => {})
      throw error
    }
  }

  /** From now on nothing is claimed any more, and who waits for that is told so: a lease would only be given back, and nobody is waited for. */
  endClaims(): void {
    this.#takesClaims = false
    this.#claims.open()
  }

  /** From now on nothing is asked of the store any more: whoever tries is told that the manager was closed. */
  end(): void {
    this.#hasEnded = true
  }

  /** Closes the store. */
  async close(): Promise<void> {
    await this.#within('close', async () => this.#store.close())
  }

  async #readOnce(keys: readonly string[]): Promise<Answer<Snapshot[]>> {
    if (this.#hasEnded) throw managerClosed()
    const prefixed = keys.map((key) => this.#prefix + key)
    return this.#once('read', keys[0] ?? '', (operation) => this.#store.read(prefixed, operation))
  }

  /** What no call can read, or a node of the store that is down, is no matter of those who were asked for with it: this try is of these keys alone. */
  #readAgain(keys: readonly string[]): Promise<Part<Answer<Snapshot[]>>> {
    return this.#secondReads.pass(async () => {
      const begun = this.#clock.monotonic()
      try {
        return { reply: await this.#readOnce(keys), from: 0 }
      } catch (error) {
        // It hung. Nobody is to wait while one after the other does.
        if (this.#clock.monotonic() - begun > this.#timeoutMs / 2) this.#secondReads.open()
        throw error
      }
    })
  }

  /** A claim waits its turn. What ends what it began does not: others wait for that. */
  #claim(key: string, call: (operation: Operation) => Promise<Claim>): Promise<Answer<Claim>> {
    const passed = this.#claims.pass(async () => {
      if (!this.#takesClaims) throw managerClosed()
      try {
        return await this.#twice('claim', key, call)
      } catch (error) {
        // The store is down: those who wait are to find that out together, not one after the other.
        this.#claims.open()
        throw error
      }
    })
    return this.#track(passed)
  }

  #send<T>(
    name: StoreCall['operation'],
    key: string,
    call: (operation: Operation, now: number) => Promise<T>,
    secrets: readonly string[] = [],
  ): Promise<Answer<T>> {
    return this.#track(this.#twice(name, key, call, secrets))
  }

  async #twice<T>(
    name: StoreCall['operation'],
    key: string,
    call: (operation: Operation, now: number) => Promise<T>,
    secrets: readonly string[] = [],
  ): Promise<Answer<T>> {
    if (this.#hasEnded) throw managerClosed()
    try {
      return await this.#once(name, key, call, secrets)
    } catch {
      return await this.#once(name, key, call, secrets)
    }
  }

  #once<T>(
    name: StoreCall['operation'],
    key: string,
    call: (operation: Operation, now: number) => Promise<T>,
    secrets: readonly string[] = [],
  ): Promise<Answer<T>> {
    const begun = this.#clock.monotonic()
    return this.#within(name, call, secrets, (outcome) => {
      this.#called({ operation: name, key, durationMs: this.#clock.monotonic() - begun, outcome })
    })
  }

  /** One try. A store that ignores the signal is left behind at the deadline; what it does later is fenced. */
  #within<T>(
    name: string,
    call: (operation: Operation, now: number) => Promise<T>,
    secrets: readonly string[] = [],
    ended: (outcome: StoreCall['outcome']) => void = () => {},
  ): Promise<Answer<T>> {
    const sentAt = departure(this.#clock)
    const controller = new AbortController()
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.schedule(() => {
        ended('timed-out')
        const late = unavailable(name, `gave no answer within ${this.#timeoutMs} ms`)
        reject(late)
        controller.abort(late)
      }, this.#timeoutMs)
      const fail = (cause: unknown) => {
        cancel()
        if (!controller.signal.aborted) ended('failed')
        // Clients hang the command that failed on their errors, value and all.
        reject(unavailable(name, 'failed', scrubbedError(cause, secrets)))
      }
      try {
        call({ signal: controller.signal }, sentAt()).then((answer) => {
          cancel()
          if (!controller.signal.aborted) ended('answered')
          resolve(answered(sentAt, answer))
        }, fail)
      } catch (cause) {
        fail(cause)
      }
    })
  }
}

function answered<T>(sentAt: () => number, answer: T): Answer<T> {
  return {
    get sentAt() {
      return sentAt()
    },
    answer,
  }
}

function unavailable(name: string, what: string, cause?: unknown): TokenError {
  const message = `The store's ${name} ${what}. Check that the store is up and can be reached from this process.`
  return new TokenError('STORE_UNAVAILABLE', message, { retryable: true, cause })
}

function incompatible(name: string): TokenError {
  const message = `The store's ${name} answered with something this version of @tokenwell/core does not understand. Check that the store package fits it.`
  return new TokenError('STORE_INCOMPATIBLE', message, { retryable: false })
}

/** The answer as far as it is believed. Whatever is wrong with it, also that it cannot be looked at, is one and the same error. */
function understood<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw incompatible(name)
  }
}

function checked<T>(name: string, reply: Answer<unknown>, read: (answer: unknown) => T): Answer<T> {
  const answer = understood(name, () => read(reply.answer))
  return {
    get sentAt() {
      return reply.sentAt
    },
    answer,
  }
}
