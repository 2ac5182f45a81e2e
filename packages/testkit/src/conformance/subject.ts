import type {
  Claim,
  ClaimRequest,
  Operation,
  Publication,
  PublishRequest,
  SettleRequest,
  Snapshot,
  StoreChange,
  TokenStore,
  Version,
} from '@tokenwell/core'
import { same } from './expect.ts'

/** The store's clock, as far as a test can get at it. */
export interface StoreClock {
  /** What it says, milliseconds since the Unix epoch. */
  now(): number | Promise<number>
  /** Lets `ms` pass: a virtual clock is moved, a server is waited for. Never more than 100 ms at a time. */
  pass(ms: number): Promise<void>
  /**
   * Sets the clock back by `ms`. Where the clock of a server cannot be set, moving every deadline in its records forward by `ms`, and
   * nothing else in them, looks the same to the tests that need this.
   */
  stepBack?(ms: number): void | Promise<void>
}

/** Stores over records that are empty at first. */
export interface OpenStores {
  /** Two instances over the same records, as two nodes have them. A store that is not shared: one instance, twice. */
  readonly stores: readonly [TokenStore, TokenStore]
  /** One more instance over the same records, asked for when the two have been closed. Needed for a durable store. */
  reopen?(): Promise<TokenStore>
  /** Releases all that was opened, also when the stores have been closed. */
  close(): Promise<void>
}

/** A duration that does not end during a test, milliseconds. */
export const LONG_MS = 600_000

/** A duration that ends during a test; nothing is expected of it before. */
export const SHORT_MS = 20

const KEY = 'a key'

/** A claim that a value of this version does not satisfy, neither as seen nor as rejected. */
export function past(version: Version): Pick<ClaimRequest, 'seen' | 'rejected'> {
  return { seen: version + 1, rejected: version }
}

/** An operation that nobody gives up. */
export function patient(): Operation {
  return { signal: new AbortController().signal }
}

/**
 * One record and the stores that keep it. Calls go to the two instances in turn, so that nothing an instance keeps to itself can
 * carry a test. Requests are filled up with values that do not matter to the test.
 */
export class Subject {
  readonly open: OpenStores
  readonly clock: StoreClock
  #calls = 0

  constructor(open: OpenStores, clock: StoreClock) {
    this.open = open
    this.clock = clock
  }

  get store(): TokenStore {
    return this.open.stores[this.#calls++ % 2 === 0 ? 0 : 1]
  }

  /** The store's time as a fence. */
  async nowAsFence(): Promise<Version> {
    return Math.floor((await this.clock.now()) * 1000)
  }

  async read(key = KEY): Promise<Snapshot> {
    const [snapshot] = await this.store.read([key], patient())
    if (snapshot === undefined) throw new Error('read of one key: expected one snapshot, got none')
    return snapshot
  }

  claim(attempt: string, request: Partial<ClaimRequest> = {}, key = KEY): Promise<Claim> {
    return this.store.claim(key, attempt, { leaseMs: LONG_MS, seen: 0, rejected: 0, ...request }, patient())
  }

  /** A claim that must be granted; its fence. */
  async grant(attempt: string, request: Partial<ClaimRequest> = {}, key = KEY): Promise<Version> {
    const claim = await this.claim(attempt, request, key)
    if (claim.kind === 'granted') return claim.fence
    same<Claim['kind']>(claim.kind, 'granted', `claim by ${attempt}`)
    return 0
  }

  publish(attempt: string, fence: Version, request: Partial<PublishRequest> = {}, key = KEY): Promise<Publication> {
    const whole = { value: `by ${attempt}`, renewInMs: LONG_MS, expiresInMs: 2 * LONG_MS, ...request }
    return this.store.publish(key, attempt, fence, whole, patient())
  }

  /** A publication that must be accepted, of a fence that is the store's time if none is given; its version. */
  async accept(attempt: string, fence?: Version, request: Partial<PublishRequest> = {}, key = KEY): Promise<Version> {
    const version = fence ?? (await this.nowAsFence())
    const { kind } = await this.publish(attempt, version, request, key)
    same(kind, 'accepted', `publication by ${attempt}`)
    return version
  }

  settle(attempt: string, fence: Version, request: Partial<SettleRequest> = {}, key = KEY): Promise<Snapshot> {
    return this.store.settle(key, attempt, fence, { backoffMs: 0, ...request }, patient())
  }

  /** Publishes a value that is due for renewal at once; its version. A claim {@link past} it is granted for several reasons. */
  acceptDue(attempt: string): Promise<Version> {
    return this.accept(attempt, undefined, { renewInMs: 0 })
  }

  /** Claims and shares a failure. `config` is both the caller's and the failure's. */
  async fail(attempt: string, request: Partial<SettleRequest> = {}, claim: Partial<ClaimRequest> = {}): Promise<Snapshot> {
    const config = request.config === undefined ? {} : { config: request.config }
    const fence = await this.grant(attempt, { ...config, ...claim })
    return this.settle(attempt, fence, { backoffMs: LONG_MS, failure: 'down', ...request })
  }

  invalidate(version: Version, key = KEY): Promise<Snapshot> {
    return this.store.invalidate(key, version, patient())
  }

  /** Lets a little more than {@link SHORT_MS} pass. */
  passShort(): Promise<void> {
    return this.clock.pass(2 * SHORT_MS)
  }

  /** Listens to the first instance. */
  async listen(): Promise<Feed> {
    const feed = new Feed(this.clock)
    feed.stop = await subscribe(this.open.stores[0], (change) => feed.changes.push(change))
    return feed
  }
}

/** Subscribes to a store that has said it can push. */
export async function subscribe(store: TokenStore, listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
  const subscribing = store.subscribe?.(listener)
  if (subscribing === undefined) throw new Error('a store with the capability push must have subscribe')
  return subscribing
}

const ROUNDS = 50

/** The changes a listener was told. */
export class Feed {
  readonly changes: StoreChange[] = []
  stop = async (): Promise<void> => {}
  readonly #clock: StoreClock

  constructor(clock: StoreClock) {
    this.#clock = clock
  }

  /** Waits, not for ever, until the change has been told. */
  async expect(version: Version, key = KEY): Promise<void> {
    same(await this.#wait(version, key), true, `told that ${key} changed to version ${version}`)
  }

  /** Lets a change be told, and forgets what was told so far: the rest is news. That it is told at all is another test's matter. */
  async past(version: Version): Promise<Version> {
    await this.#wait(version, KEY)
    this.changes.length = 0
    return version
  }

  /** Waits as long as a change takes at most: none must have been told. A gap says nothing, and may come at any time. */
  async expectNothing(): Promise<void> {
    await this.#clock.pass(100)
    const changed = this.changes.filter(({ kind }) => kind === 'changed')
    same(changed, [], 'changes told')
  }

  async #wait(version: Version, key: string): Promise<boolean> {
    const told = () => this.changes.some((change) => change.kind === 'changed' && change.key === key && change.version === version)
    for (let round = 0; round < ROUNDS && !told(); round++) await this.#clock.pass(SHORT_MS)
    return told()
  }
}
