import type { Clock, Operation, Snapshot, StoreChange, TokenStore } from '@tokenwell/core'

/** What goes wrong with one call. Everything not named here goes right. */
export type Fault =
  /** Fails at once and never reaches the store. */
  | { readonly kind: 'throw'; readonly error?: Error }
  /** Reaches the store `ms` later, unless the caller gives up before. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Reaches the store `ms` later, also when the caller has given up by then. */
  | { readonly kind: 'late'; readonly ms: number }
  /** Never reaches the store; the caller hears nothing until its own signal is aborted. */
  | { readonly kind: 'drop-request' }
  /** The store does it, and the caller hears nothing until its own signal is aborted, or `error` once it is done. */
  | { readonly kind: 'drop-reply'; readonly error?: Error }
  /** Reaches the store at once, which answers, and a second time `afterMs` later. Default: 0, as soon as timers run. */
  | { readonly kind: 'twice'; readonly afterMs?: number }

export type FlakyOperation = 'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'subscribe'

/** One call as the caller saw it. */
export interface Call {
  readonly operation: FlakyOperation
  /** What was asked for; several keys with commas between them; empty for `subscribe`. */
  readonly key: string
  readonly fault?: Fault['kind']
  /** How often it has reached the store so far. */
  readonly delivered: number
  /** `pending`, then the answer's kind (`granted`, `superseded`, …) or `answered`, or `given up`, or `failed: ` and the error's message. */
  readonly outcome: string
}

/** A store with faults to order. */
export interface FlakyStore extends TokenStore {
  /** The next calls of this operation meet these faults, one each, in this order; `undefined` lets one pass. Comes before {@link always}. */
  next(operation: FlakyOperation, ...faults: (Fault | undefined)[]): void
  /** Every call of this operation, or of all, meets this fault until {@link restore}. */
  always(operation: FlakyOperation | 'all', fault: Fault): void
  /** Changes are not told to listeners any more, until {@link restore}. */
  loseHints(): void
  /** Tells every listener that it may have missed something. */
  gap(): void
  /** Ends all faults that were ordered. Calls that wait go on waiting. */
  restore(): void
  /** All calls so far, the oldest first. */
  readonly calls: readonly Call[]
}

/** Puts faults between a store and its caller. Nothing happens by chance, and time is the clock's alone. */
export function flaky(store: TokenStore, clock: Pick<Clock, 'schedule'>): FlakyStore {
  const calls: Call[] = []
  const queued = new Map<FlakyOperation, (Fault | undefined)[]>()
  const standing = new Map<FlakyOperation | 'all', Fault>()
  const listeners = new Set<{ readonly listener: (change: StoreChange) => void }>()
  let hintsLost = false

  function faultFor(operation: FlakyOperation): Fault | undefined {
    const faults = queued.get(operation)
    if (faults !== undefined && faults.length > 0) return faults.shift()
    return standing.get(operation) ?? standing.get('all')
  }

  async function call<T>(
    operation: FlakyOperation,
    key: string,
    signal: AbortSignal,
    send: (operation: Operation) => Promise<T>,
  ): Promise<T> {
    const fault = faultFor(operation)
    const record = { operation, key, ...(fault && { fault: fault.kind }), delivered: 0, outcome: 'pending' }
    calls.push(record)
    const deliver = (operation: Operation): Promise<T> => {
      record.delivered++
      return send(operation)
    }
    try {
      const answer = await meet(fault, signal, deliver)
      record.outcome = kindOf(answer)
      return answer
    } catch (error) {
      record.outcome = signal.aborted ? 'given up' : `failed: ${error instanceof Error ? error.message : String(error)}`
      throw error
    }
  }

  async function meet<T>(fault: Fault | undefined, signal: AbortSignal, deliver: (operation: Operation) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    switch (fault?.kind) {
      case undefined:
        return deliver({ signal })
      case 'throw':
        throw fault.error ?? new Error('the store cannot be reached')
      case 'delay':
        await passed(fault.ms, signal)
        return deliver({ signal })
      case 'late':
        return Promise.race([givenUp(signal), passed(fault.ms).then(() => deliver(unattended()))])
      case 'drop-request':
        return givenUp(signal)
      case 'drop-reply':
        return replyDropped(deliver(unattended()), signal, fault.error)
      case 'twice':
        passed(fault.afterMs ?? 0)
          .then(() => deliver(unattended()))
          .catch(() => {})
        return deliver({ signal })
    }
  }

  function passed(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = clock.schedule(() => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }, ms)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  async function subscribe(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
    const subscription = { listener }
    const hear = (change: StoreChange) => {
      if (!hintsLost) listener(change)
    }
    const stops: (() => Promise<void>)[] = []
    await call('subscribe', '', unattended().signal, async () => {
      const stop = await store.subscribe?.(hear)
      if (stop !== undefined) stops.push(stop)
    })
    listeners.add(subscription)
    return async () => {
      listeners.delete(subscription)
      await Promise.all(stops.map((stop) => stop()))
    }
  }

  return {
    contractVersion: store.contractVersion,
    capabilities: store.capabilities,
    calls,
    read: (keys, { signal }) => call<Snapshot[]>('read', keys.join(', '), signal, (operation) => store.read(keys, operation)),
    claim: (key, attempt, request, { signal }) => call('claim', key, signal, (operation) => store.claim(key, attempt, request, operation)),
    publish: (key, attempt, fence, request, { signal }) =>
      call('publish', key, signal, (operation) => store.publish(key, attempt, fence, request, operation)),
    settle: (key, attempt, fence, request, { signal }) =>
      call('settle', key, signal, (operation) => store.settle(key, attempt, fence, request, operation)),
    invalidate: (key, version, { signal }) => call('invalidate', key, signal, (operation) => store.invalidate(key, version, operation)),
    ...(store.subscribe && { subscribe }),
    close: () => store.close(),
    next(operation, ...faults) {
      queued.set(operation, [...(queued.get(operation) ?? []), ...faults])
    },
    always(operation, fault) {
      standing.set(operation, fault)
    },
    loseHints() {
      hintsLost = true
    },
    gap() {
      for (const { listener } of listeners) listener({ kind: 'gap' })
    },
    restore() {
      queued.clear()
      standing.clear()
      hintsLost = false
    },
  }
}

/** An operation that goes on whatever its caller does. */
function unattended(): Operation {
  return { signal: new AbortController().signal }
}

async function replyDropped(delivery: Promise<unknown>, signal: AbortSignal, error: Error | undefined): Promise<never> {
  const done = delivery.catch(() => {})
  if (error === undefined) return givenUp(signal)
  await done
  throw error
}

/** Never settles but by the caller's giving up. */
function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function kindOf(answer: unknown): string {
  return typeof answer === 'object' && answer !== null && 'kind' in answer ? String(answer.kind) : 'answered'
}
