import {
  createTokenManager,
  type FetchContext,
  type Fetched,
  type TokenEvent,
  type TokenManager,
  type TokenManagerOptions,
} from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { type FlakyStore, flaky, type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { expect, onTestFinished } from 'vitest'
import { randomSecret, record } from '../../../../tools/leak-search/index.ts'
import { HOUR } from './world.ts'

export interface Bench {
  readonly clock: VirtualClock
  readonly store: FlakyStore
  readonly manager: TokenManager
  readonly events: TokenEvent[]
  /** One more manager on the same store. */
  another(options?: Partial<TokenManagerOptions>): TokenManager
}

/** A manager on a store with faults to order, both on virtual time; closed when the test ends. */
export function bench(options: Partial<TokenManagerOptions> = {}): Bench {
  const clock = virtualClock()
  const store = flaky(memoryStore({ clock }), clock)
  const events: TokenEvent[] = []
  const managers: TokenManager[] = []
  const another = (given: Partial<TokenManagerOptions> = {}): TokenManager => {
    const manager = createTokenManager({ store, clock, onEvent: (event) => events.push(event), ...given })
    managers.push(manager)
    return manager
  }
  onTestFinished(async () => {
    store.restore()
    const closing = Promise.all(managers.map((manager) => manager.close()))
    await clock.advance(10_000)
    await closing
    expect(clock.pending).toBe(0)
    record(
      'events',
      events.map((event) => ('failure' in event ? { ...event, failure: String(event.failure) } : event)),
    )
  })
  return { clock, store, manager: another(options), events, another }
}

/** A fetch that counts, and what it gives out. */
export function source(lifeMs = HOUR): { readonly fetch: (context: FetchContext) => Promise<Fetched>; readonly contexts: FetchContext[] } {
  const contexts: FetchContext[] = []
  return {
    contexts,
    async fetch(context) {
      contexts.push(context)
      return { value: randomSecret('generic token'), expiresInMs: lifeMs }
    },
  }
}

export const hostile = new Error('an error that cannot be read')
Object.defineProperty(hostile, 'name', {
  get() {
    throw new Error('no name')
  },
})
export const symbolic = Object.assign(new Error('an error with an odd name'), { name: Symbol('name') as unknown as string })
export const unreadable = new Proxy(
  {},
  {
    get() {
      throw new Error('unreadable')
    },
    has() {
      throw new Error('unreadable')
    },
    getPrototypeOf() {
      throw new Error('unreadable')
    },
  },
)
