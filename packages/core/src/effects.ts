import { departure } from './clock.ts'
import { type Credential, type Fetched, isFetched } from './credential.ts'
import { TokenError } from './errors.ts'
import { decodeFailure, encodeFailure, fetchFailure, isMissingDependency, isUnspent, type MissingDependency } from './failure.ts'
import type { Kernel } from './kernel.ts'
import type { Effect, FetchFailure, Happening } from './machine/happenings.ts'
import type { Version } from './store.ts'

/** What is carried out; a notice is only told. */
type Performed = Exclude<Effect, { type: 'notify' }>

/** Who is told what came of it. */
export interface EffectsOwner {
  /** Begins the names of its attempts: nobody else anywhere has it. */
  readonly attempts: string
  /** Callers are served a valid token just now. */
  readonly serving: boolean
  report(happening: Happening): void
  /** Nothing is under way any more. */
  performed(): void
}

/**
 * Carries out what the machine of one key asks for, and reports the outcome as what happens next. Nothing in here decides anything, nor
 * is anything of it needed while nothing is under way.
 */
export class Effects {
  readonly #kernel: Kernel
  readonly #credential: Credential
  readonly #key: string
  readonly #owner: EffectsOwner
  readonly #inFlight = new Set<Promise<void>>()
  #whenIdle: (() => void)[] = []
  #fetch: AbortController | undefined
  #dependency: { readonly missing: MissingDependency; readonly controller: AbortController } | undefined

  constructor(kernel: Kernel, credential: Credential, owner: EffectsOwner) {
    this.#kernel = kernel
    this.#credential = credential
    this.#key = credential.key
    this.#owner = owner
  }

  get idle(): boolean {
    return this.#inFlight.size === 0
  }

  /** Resolves once nothing is under way. */
  async whenIdle(): Promise<void> {
    while (this.#inFlight.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  perform(effect: Performed): void {
    switch (effect.type) {
      case 'claim':
        this.#track(this.#claim(effect))
        break
      case 'fetch':
        this.#track(this.#fetchToken(effect))
        break
      case 'abandon-fetch':
        this.#fetch?.abort(new TokenError('CLOSED', 'The token manager was closed.', { retryable: false }))
        break
      case 'publish':
        this.#track(this.#publish(effect))
        break
      case 'settle':
        this.#track(this.#settle(effect))
        break
      case 'read':
        this.#track(this.#read())
        break
      case 'invalidate':
        this.#track(this.#invalidate(effect.version))
        break
      case 'subscribe':
        this.#track(this.#kernel.hints.switchOn().then(() => this.#report({ type: 'subscribed' })))
        break
      case 'await-dependency':
        this.#track(this.#awaitDependency())
        break
      case 'forget-dependency':
        this.#dependency?.controller.abort()
        break
    }
  }

  /** Remembers work in flight, so that close() can wait for it. None of it rejects. */
  #track(work: Promise<void>): void {
    this.#inFlight.add(work)
    void work.finally(() => {
      this.#inFlight.delete(work)
      if (this.#inFlight.size > 0) return
      this.#owner.performed()
      for (const resolve of this.#whenIdle.splice(0)) resolve()
    })
  }

  #report(happening: Happening): void {
    this.#owner.report(happening)
  }

  #attempt(number: number): string {
    return `${this.#owner.attempts}.${number}`
  }

  async #claim({ attempt, leaseMs, seen, rejected }: Extract<Effect, { type: 'claim' }>): Promise<void> {
    const missing = this.#credential.missing?.()
    if (missing !== undefined) {
      this.#dependsOn(missing)
      this.#report({ type: 'claim-blocked', attempt, failure: missing.failure })
      return
    }
    const { config } = this.#credential
    const request = { leaseMs, seen, rejected, ...(config === undefined ? {} : { config }) }
    try {
      const { sentAt, answer } = await this.#kernel.calls.claim(this.#key, this.#attempt(attempt), request)
      // From now on there is something to hear about, such as a rejection elsewhere. Nobody waits for it.
      if (this.#kernel.hints.state === 'untried') void this.#kernel.hints.switchOn()
      const { backoff } = answer.snapshot
      const failure = backoff === undefined ? undefined : decodeFailure(backoff.failure, backoff.retryInMs)
      this.#report({ type: 'claimed', attempt, sentAt, claim: answer, failure })
    } catch (error) {
      this.#report({ type: 'claim-failed', attempt, failure: error as TokenError })
    }
  }

  async #fetchToken({ attempt, deadline, graceMs, detached, previous }: Extract<Effect, { type: 'fetch' }>): Promise<void> {
    const { clock } = this.#kernel
    const controller = new AbortController()
    this.#fetch = controller
    const sentAt = departure(clock)
    const startedAt = sentAt()
    const ended = (outcome: 'fetched' | FetchFailure, failure?: TokenError) => {
      const durationMs = clock.monotonic() - startedAt
      const told = { type: 'fetch-ended', outcome, durationMs, serving: this.#owner.serving } as const
      this.#kernel.tell(this.#key, failure === undefined ? told : { ...told, failure })
    }
    const abort = () => controller.abort(this.#late())
    let cancel = clock.schedule(
      () => {
        if (graceMs === 0) abort()
        else cancel = clock.schedule(abort, graceMs)
      },
      Math.max(0, deadline - startedAt),
    )
    try {
      const aborted = new Promise<never>((_resolve, reject) => {
        controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
      })
      // If the fetch throws before it returns a promise, nobody is left to see this one.
      aborted.catch(() => {})
      const fetching = this.#credential.fetch({
        signal: controller.signal,
        previous: previous && { value: previous.value, version: previous.version },
        detached,
        assertInTime: () => {
          // What the machine slept since then is part of the time that has passed.
          const passedMs = clock.monotonic() - sentAt()
          if (controller.signal.aborted || startedAt + passedMs >= deadline) throw this.#late()
        },
      })
      const result: Fetched = await Promise.race([fetching, aborted])
      if (!isFetched(result)) throw this.#invalidResult()
      ended('fetched')
      this.#report({ type: 'fetched', attempt, sentAt: sentAt(), value: result.value, expiresInMs: result.expiresInMs })
    } catch (thrown) {
      const blocked = isMissingDependency(thrown)
      if (blocked) this.#dependsOn(thrown)
      const unspent = isUnspent(thrown)
      const failure = blocked || unspent ? thrown.failure : fetchFailure(thrown, this.#key)
      const outcome = blocked ? 'blocked' : unspent ? 'unspent' : 'failed'
      ended(outcome, failure)
      this.#report({ type: 'fetch-failed', attempt, failure, outcome })
    } finally {
      cancel()
    }
  }

  /** Made when it is needed: the stack of an error costs more than the rest of a fetch that goes well. */
  #late(): TokenError {
    return new TokenError('UPSTREAM_UNAVAILABLE', `The fetch of "${this.#key}" did not end within its deadline.`, { retryable: true })
  }

  #invalidResult(): TokenError {
    const message = `The fetch of "${this.#key}" must resolve to { value: a string of 1 to 16,000 characters, expiresInMs: milliseconds remaining, above 0 and at most ten years }; it resolved to something else.`
    return new TokenError('FETCH_INVALID', message, { retryable: true })
  }

  async #publish({ attempt, fence, value, renewAt, expiresAt, quietMs, basedOn }: Extract<Effect, { type: 'publish' }>): Promise<void> {
    try {
      const { sentAt, answer } = await this.#kernel.calls.publish(this.#key, this.#attempt(attempt), fence, (now) => ({
        value,
        // One that has ended is stored for what it brings with it.
        renewInMs: Math.max(1, renewAt - now),
        expiresInMs: Math.max(1, expiresAt - now),
        ...(quietMs > 0 ? { quietMs } : {}),
        ...(basedOn === undefined ? {} : { basedOn }),
      }))
      if (answer.kind === 'accepted') this.#kernel.tell(this.#key, { type: 'published', version: fence })
      this.#report({ type: 'published', attempt, sentAt, publication: answer })
    } catch (error) {
      this.#report({ type: 'publish-failed', attempt, failure: error as TokenError })
    }
  }

  async #settle({ attempt, fence, backoffMs, failure }: Extract<Effect, { type: 'settle' }>): Promise<void> {
    const { config } = this.#credential
    const request = {
      backoffMs,
      ...(failure === undefined ? {} : { failure: encodeFailure(failure) }),
      ...(config === undefined ? {} : { config }),
    }
    try {
      const { sentAt, answer } = await this.#kernel.calls.settle(this.#key, this.#attempt(attempt), fence, request)
      this.#report({ type: 'told', sentAt, snapshot: answer, read: false })
    } catch {
      // The lease runs out by itself.
    }
  }

  async #read(): Promise<void> {
    try {
      const { sentAt, answer } = await this.#kernel.calls.read(this.#key)
      this.#report({ type: 'told', sentAt, snapshot: answer, read: true })
    } catch {
      this.#report({ type: 'read-failed' })
    }
  }

  async #invalidate(version: Version): Promise<void> {
    try {
      const { sentAt, answer } = await this.#kernel.calls.invalidate(this.#key, version)
      this.#report({ type: 'invalidated', version, sentAt, snapshot: answer })
    } catch {
      this.#report({ type: 'invalidate-failed', version })
    }
  }

  #dependsOn(missing: MissingDependency): void {
    this.#dependency = { missing, controller: new AbortController() }
  }

  async #awaitDependency(): Promise<void> {
    const dependency = this.#dependency
    if (dependency === undefined) return
    try {
      await dependency.missing.wait(dependency.controller.signal)
      this.#report({ type: 'unblocked' })
    } catch (thrown) {
      if (!dependency.controller.signal.aborted) this.#report({ type: 'block-failed', failure: fetchFailure(thrown, this.#key) })
    }
  }
}
