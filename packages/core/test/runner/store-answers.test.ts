import { createTokenManager, isTokenError, type Snapshot, type TokenEvent, type TokenStore } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { randomSecret } from '../../../../tools/leak-search/index.ts'
import { scrubbedError } from '../../src/scrub.ts'

const HOUR = 3_600_000

type Change = (store: TokenStore) => Partial<TokenStore>

interface Node {
  readonly clock: VirtualClock
  readonly store: TokenStore
  readonly events: TokenEvent[]
  /** Operations that the store was asked for. */
  asked(): number
  get(key: string): Promise<unknown>
}

/** A process whose store does some things in another way. */
function node(change: Change): Node {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  const events: TokenEvent[] = []
  let asked = 0
  let fetches = 0
  const counted = Object.fromEntries(
    Object.entries({ ...store, ...change(store) }).map(([name, each]) => [
      name,
      typeof each !== 'function' || name === 'close'
        ? each
        : (...args: never[]) => {
            asked += 1
            // A loop without a pause would never come back to the test.
            return asked > 5_000 ? new Promise(() => {}) : Reflect.apply(each, undefined, args)
          },
    ]),
  ) as unknown as TokenStore
  const manager = createTokenManager({ store: counted, clock, onEvent: (event) => void events.push(event) })
  onTestFinished(async () => {
    const closed = manager.close()
    await clock.advance(60_000)
    await closed
  })
  return {
    clock,
    store,
    events,
    asked: () => asked,
    async get(key) {
      const fetch = async () => ({ value: `${key}-${++fetches}`, expiresInMs: 2 * HOUR })
      const asked = manager
        .token({ key, fetch })
        .get()
        .then(
          ({ value }) => value,
          (error: unknown) => error,
        )
      await clock.advance(16_000)
      return Promise.race([asked, Promise.resolve('has not settled')])
    },
  }
}

const withSnapshot =
  (change: (snapshot: Snapshot) => object): Change =>
  (store) => ({
    claim: async (...args) => {
      const claim = await store.claim(...args)
      const changes = Object.getOwnPropertyDescriptors(change(claim.snapshot))
      return { ...claim, snapshot: Object.defineProperties({ ...claim.snapshot }, changes) }
    },
  })

describe('a store that answers', () => {
  test('with the record of another key is not believed: its value is the token of somebody else', async () => {
    const { get, events } = node((store) => ({
      claim: (key, ...rest) => store.claim(key.replace(/two$/, 'one'), ...rest),
    }))
    expect(await get('one')).toBe('one-1')
    expect(await get('two')).toBe('two-2')
    expect(events).toContainEqual(
      expect.objectContaining({ key: 'two', type: 'detached', failure: expect.objectContaining({ code: 'STORE_INCOMPATIBLE' }) }),
    )
  })

  test.each<readonly [string, () => object]>([
    ['null for a lease', () => ({ lease: null })],
    ['null for a backoff', () => ({ backoff: null })],
    ['a getter that throws', () => Object.defineProperty({}, 'version', { enumerable: true, get: () => unreadable() })],
  ])('with %s is told apart by a TokenError, and not by what it breaks', async (_, change) => {
    const { get, events } = node(withSnapshot(change))
    expect(await get('one')).toBe('one-1')
    const failures = events.flatMap((event) => ('failure' in event ? [event.failure] : []))
    expect(failures.map((failure) => isTokenError(failure) && failure.code)).toContain('STORE_INCOMPATIBLE')
  })

  test('an error that cannot be looked at is answered like any other, and nobody waits for ever', async () => {
    const reason = Object.defineProperties(new Error('down'), { message: { get: () => unreadable() }, stack: { value: {} } })
    const { get } = node(() => ({ claim: () => Promise.reject(reason) }))
    expect(await get('one')).toBe('one-1')
    expect(scrubbedError(reason, []).message).toMatch(/cannot be read/)
    expect(scrubbedError(new Error('a', { cause: reason }), []).message).toBe('a')
  })

  test.each<readonly [string, Change]>([
    ['that a token is fresh that is due', withSnapshot(({ value }) => (value === undefined ? {} : { renewInMs: -1 }))],
    ['that a token is not due with a lease to renew it', withSnapshot(({ value }) => (value === undefined ? {} : { renewInMs: HOUR }))],
    [
      'with a backoff that is over',
      (store) => ({
        claim: async (key, ...rest) => {
          const { snapshot } = await store.claim(key, ...rest)
          return { kind: 'backoff', snapshot: { ...snapshot, backoff: { retryInMs: -1, failure: '', failures: 1 } } }
        },
      }),
    ],
  ])('%s, over and over, is not asked without a pause', async (_, change) => {
    const { get, clock, asked } = node(change)
    for (let round = 0; round < 3; round += 1) {
      await get('one')
      await clock.advance(1.95 * HOUR)
      const before = asked()
      await get('one')
      // 16 s at ten a second.
      expect(asked() - before).toBeLessThan(200)
    }
  })
})

test.each([
  undefined,
  null,
  7,
  'gap',
  {},
  { kind: 'changed' },
  { kind: 'changed', key: 7, version: 1 },
  { kind: 'changed', key: 'k', version: Symbol('v') },
])('a hint that is none (%o) is not thrown back at the store', async (change) => {
  const listeners: ((change: never) => void)[] = []
  const { get } = node(() => ({
    subscribe: async (listener) => {
      listeners.push(listener)
      return async () => {}
    },
  }))
  await get('one')
  expect(listeners).toHaveLength(1)
  for (const listener of listeners) listener(change as never)
})

describe('a store in which something is always in the way', () => {
  function feishu(change: Change): { readonly tokens: FeishuTokens; readonly clock: VirtualClock } {
    const clock = virtualClock()
    const store = memoryStore({ clock })
    let asked = 0
    const answers = change(store)
    const publish: TokenStore['publish'] = (...args) => {
      asked += 1
      return asked > 2_000 ? new Promise(() => {}) : (answers.publish ?? store.publish)(...args)
    }
    const manager = createTokenManager({ store: { ...store, ...answers, publish }, clock })
    const tokens = createFeishuTokens({ appId: 'cli_a', appSecret: randomSecret('app secret'), manager, domain: 'http://127.0.0.1:1' })
    onTestFinished(async () => {
      const closed = manager.close()
      await clock.advance(60_000)
      await closed
      expect(asked).toBeLessThan(200)
    })
    return { tokens, clock }
  }

  test('a ticket is given up after a few tries', async () => {
    const { tokens, clock } = feishu((store) => ({
      publish: async (...args) => {
        const { snapshot } = await store.publish(...args)
        return { kind: 'superseded', snapshot: { ...snapshot, value: 'dead', version: args[2], rejectedUpTo: args[2] + 1 } }
      },
    }))
    expect(await tokens.acceptAppTicket({ ticket: 'a-ticket', eventTime: new Date(clock.wall()) })).toBe('ignored')
  })

  test('a lease that is over when it comes is not used, and no timer is set for the past', async () => {
    const { tokens, clock } = feishu(withSnapshot(() => ({ lease: { expiresInMs: 0.001 } })))
    const forgotten = tokens
      .user('ann')
      .forget()
      .catch((error: unknown) => error)
    await clock.advance(60_000)
    expect(await Promise.race([forgotten, Promise.resolve('has not settled')])).toMatchObject({ code: 'TIMEOUT' })
  })

  test('a login that replaces another is given up after 15 s', async () => {
    const { tokens, clock } = feishu((store) => ({
      publish: async (key) => ({
        kind: 'superseded',
        snapshot: (await store.read([key], { signal: new AbortController().signal }))[0] as Snapshot,
      }),
    }))
    const forgotten = tokens
      .user('ann')
      .forget()
      .catch((error: unknown) => error)
    await clock.advance(60_000)
    expect(await Promise.race([forgotten, Promise.resolve('has not settled')])).toMatchObject({ code: 'TIMEOUT' })
  })
})

function unreadable(): never {
  throw new Error('unreadable')
}
