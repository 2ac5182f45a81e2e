import { Alarms } from './alarms.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Credential, type FetchContext, type Fetched, isUnauthorized } from './credential.ts'
import { checkListener, type Listener, Listeners, type TokenEvent } from './events.ts'
import { Hints } from './hints.ts'
import { attachInside, type Inside } from './inside.ts'
import { checkPolicy, defaultPolicy, type Policy } from './machine/policy.ts'
import { checkFunction, checkInteger, checkMethods, checkObject, checkText, describe } from './options.ts'
import { type Random, systemRandom } from './random.ts'
import { Runners } from './runners.ts'
import { type EncryptionOptions, IN_CLEAR, Keyring, type Unreadable } from './seal/keyring.ts'
import { sealedStore } from './seal/sealed-store.ts'
import { recordUnreadable } from './seal/unreadable.ts'
import { type KeyStatus, keyStatus } from './status.ts'
import type { TokenStore, Version } from './store.ts'
import { StoreCalls, type Track } from './store-calls.ts'
import { createTokenHandle, credentialOf, type TokenHandle } from './token-handle.ts'

export interface TokenManagerOptions {
  /** Where the fleet keeps its records. */
  readonly store: TokenStore
  /** Separates managers that share a store: 1 to 100 letters, digits and `. _ : -`. Default `tokenwell`. */
  readonly namespace?: string
  /** Deadline of one store operation, milliseconds, 10 to 60,000; each is sent at most twice. Default 1,000. */
  readonly storeTimeoutMs?: number
  /**
   * Keys kept in memory before the least recently read are forgotten, 1 to 10,000,000. Default 100,000. Keys with work under way, and
   * with a token or a backoff that only this process knows while the store is down, are kept beyond it.
   */
  readonly maxEntries?: number
  /** Seals what is stored, tickets and refresh tokens included. Default: values are stored in clear. See docs/ENCRYPTION.md. */
  readonly encryption?: EncryptionOptions
  /** Default: the machine's clocks. */
  readonly clock?: Clock
  /** Default: the machine's randomness. */
  readonly random?: Random
  /** Called with every event, synchronously; what it throws is ignored. */
  readonly onEvent?: (event: TokenEvent) => void
}

export interface TokenOptions {
  /** Names the credential among those of this manager: 1 to 500 characters without U+0000, no secret. */
  readonly key: string
  /** Fetches the credential. It should heed `signal`. Two processes may call it at the same time after a pause or a partition. */
  readonly fetch: (context: FetchContext) => Promise<Fetched>
  readonly policy?: Partial<Policy>
  /** What `use()` takes for a refusal. Default: an HTTP status of 401 in a result or a thrown error. */
  readonly isRejected?: (outcome: unknown) => boolean
}

export interface CloseOptions {
  /**
   * How long a fetch in flight may take to end and be shared, milliseconds, 0 to 60,000. Default 0: it is aborted and its lease given up.
   * The refresh of a user's token is never aborted, and neither is the exchange of a code: they end within 11 s, and what they bring is
   * sent to the store once at least, and again within the grace. Of several calls the first decides.
   */
  readonly graceMs?: number
}

/** Credentials of one process, shared with the fleet through a store. */
export interface TokenManager {
  /** The handle of a credential. Asked again for the same key, it shares the state of the first. */
  token(options: TokenOptions): TokenHandle
  /** What is known about every key in memory; no secret. */
  status(): KeyStatus[]
  /**
   * Calls the functions of a listener until the returned function is called. Takes nothing from calls for a token that is in memory: they are
   * no event.
   * @throws TypeError
   */
  listen(listener: Listener): () => void
  /**
   * Settles every caller, lets go of leases, timers and the subscription, and closes the store unless another manager uses it.
   * Never closes a client the store was given. Safe to call more than once.
   */
  close(options?: CloseOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const SHARES = Symbol.for('@tokenwell/core/shares/1')
const registry = globalThis as { [SHARES]?: WeakMap<TokenStore, number> }

/** Managers per store, counted across copies of this package: the last one to close closes it. */
registry[SHARES] ??= new WeakMap()
const shares = registry[SHARES]

/** @throws TypeError for an option that is missing or out of range. */
export function createTokenManager(options: TokenManagerOptions): TokenManager {
  checkObject(options, 'createTokenManager', [
    'store',
    'namespace',
    'storeTimeoutMs',
    'maxEntries',
    'encryption',
    'clock',
    'random',
    'onEvent',
  ])
  const { store, namespace = 'tokenwell', storeTimeoutMs = 1_000, maxEntries = 100_000 } = options
  const { clock = systemClock, random = systemRandom, onEvent } = options
  checkMethods(store, 'store', ['read', 'claim', 'publish', 'settle', 'invalidate', 'close'])
  if (typeof store.capabilities !== 'object' || store.capabilities === null) {
    throw new TypeError(`store.capabilities: expected { shared, durable, push }, got ${describe(store.capabilities)}`)
  }
  if (store.contractVersion !== 1) {
    throw new TypeError(
      `store: expected contractVersion 1, got ${String(store.contractVersion)}; update the store package or @tokenwell/core`,
    )
  }
  checkText(namespace, 'namespace', 100)
  if (!/^[\w.:-]+$/.test(namespace)) throw new TypeError('namespace: expected letters, digits and . _ : - only')
  checkInteger(storeTimeoutMs, 'storeTimeoutMs', 10, 60_000)
  checkInteger(maxEntries, 'maxEntries', 1, 10_000_000)
  checkMethods(clock, 'clock', ['wall', 'monotonic', 'schedule'])
  checkMethods(random, 'random', ['fraction', 'id'])
  if (onEvent !== undefined) checkFunction(onEvent, 'onEvent')

  const listeners = new Listeners(() => clock.wall())
  if (onEvent !== undefined) listeners.add({ onEvent })
  const { tell } = listeners
  const sealing = options.encryption === undefined ? IN_CLEAR : new Keyring(options.encryption)
  const kept = sealedStore(store, sealing, unreadable)
  function unreadable(key: string, version: Version, why: Unreadable): void {
    const own = key.slice(namespace.length + 1)
    tell(own, { type: 'record-unreadable', version, failure: recordUnreadable(own, why) })
  }
  const underWay = new Set<Promise<void>>()
  const track: Track = (work) => {
    const ended = work.then(
      () => {},
      () => {},
    )
    underWay.add(ended)
    void ended.then(() => underWay.delete(ended))
    return work
  }
  const calls = new StoreCalls(kept, namespace, storeTimeoutMs, clock, { called: (call) => listeners.called(call), track })
  const hints = new Hints(calls, clock, store.capabilities.push && store.subscribe !== undefined)
  const ends: (() => Promise<void>)[] = []
  let closing: Promise<void> | undefined
  let graceEndsAt = Number.POSITIVE_INFINITY
  const inside: Inside = {
    clock,
    apart: clock.wall() - clock.monotonic(),
    random,
    calls,
    hints,
    alarms: new Alarms(clock),
    id: random.id(),
    tell,
    maxEntries,
    adopt: (handles) => runners.adopt(handles.map(credentialOf)),
    learn: (credential, snapshot, sentAt) => runners.learn(credential, snapshot, sentAt),
    seen: (credential) => runners.runner(credential).seen,
    token: (credential) => createTokenHandle(runners, credential),
    get closed() {
      return closing !== undefined
    },
    get graceEndsAt() {
      return graceEndsAt
    },
    track,
    onClose: (end) => ends.push(end),
  }
  const runners = new Runners(inside, maxEntries)
  shares.set(store, (shares.get(store) ?? 0) + 1)

  /** What is under way may begin something more before it ends. */
  async function idle(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay)
  }

  async function close(graceMs: number): Promise<void> {
    graceEndsAt = clock.monotonic() + graceMs
    await runners.close(graceMs)
    await idle()
    await hints.stop()
    await idle()
    calls.end()
    await Promise.all(ends.map((end) => end()))
    const left = (shares.get(store) ?? 1) - 1
    shares.set(store, left)
    if (left === 0) await calls.close()
  }

  const manager: TokenManager = {
    token: (given) => inside.token(checkToken(given)),
    status: () => runners.list().map((runner) => keyStatus(runner, clock.monotonic())),
    listen(listener) {
      checkListener(listener)
      return listeners.add(listener)
    },
    async close(given = {}) {
      const graceMs = checkClose(given)
      if (closing === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        // Whoever is told of what is aborted may close, too.
        closing = promise
        resolve(close(graceMs))
      }
      await closing
    },
    [Symbol.asyncDispose]: () => manager.close(),
  }
  attachInside('manager', manager, inside)
  return manager
}

/** The grace, in milliseconds. @throws TypeError */
export function checkClose(options: CloseOptions): number {
  checkObject(options, 'close', ['graceMs'])
  const { graceMs = 0 } = options
  checkInteger(graceMs, 'graceMs', 0, 60_000)
  return graceMs
}

function checkToken(options: TokenOptions): Credential {
  checkObject(options, 'token', ['key', 'fetch', 'policy', 'isRejected'])
  const { key, fetch, isRejected = isUnauthorized } = options
  checkText(key, 'key', 500)
  if (!key.isWellFormed() || key.includes('\0')) throw new TypeError('key: expected well-formed Unicode without U+0000')
  checkFunction(fetch, 'fetch')
  checkFunction(isRejected, 'isRejected')
  return { key, policy: checkPolicy(options.policy, defaultPolicy, 'policy'), fetch, isRejected }
}
