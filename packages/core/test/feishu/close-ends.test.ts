import { createTokenManager, TokenError, type TokenManagerOptions, type TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import { ANN, failure, LEASE, OAUTH, requests, slowExchange } from '../support/user-world.ts'
import { createWorld, eventually, HOUR, pass, quiet, watched } from '../support/world.ts'

const OPERATION = { signal: new AbortController().signal }

let stray: unknown[]

/** What is left to nobody would end the process. */
beforeEach(() => {
  stray = []
  const listener = (reason: unknown) => stray.push(reason)
  process.on('unhandledRejection', listener)
  onTestFinished(() => {
    process.off('unhandledRejection', listener)
  })
})

describe('however much was asked for', () => {
  test('a claim that was not sent yet is not sent any more, and whoever waits for it is told', async () => {
    const clock = virtualClock()
    const inner = memoryStore({ clock })
    let claims = 0
    const store: TokenStore = {
      ...inner,
      claim: (...args) => {
        claims += 1
        return new Promise((resolve, reject) => clock.schedule(() => inner.claim(...args).then(resolve, reject), 500))
      },
    }
    const events: string[] = []
    const manager = createTokenManager({ store, clock, onEvent: ({ type }) => void events.push(type) })
    const fetch = async () => ({ value: 'v', expiresInMs: HOUR })
    const callers = Array.from({ length: 1_000 }, (_, index) => errorOf(manager.token({ key: `k${index}`, fetch }).get()))
    await quiet()
    expect(claims).toBe(16)
    const closing = watched(manager.close())
    await pass(clock, 500)
    expect(closing.outcome).toBe('resolved')
    expect(claims).toBe(16)
    for (const error of await Promise.all(callers)) expect(error).toMatchObject({ code: 'CLOSED' })
    // Nothing is wrong with the store.
    expect(events).not.toContain('detached')
  })
})

describe('what a store does not take', () => {
  /** Somebody comes back with a code, and the store is down when the platform has answered. */
  async function authorizing(graceMs: number) {
    const world = await createWorld()
    let isDown = false
    const orFails =
      <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) =>
      (...args: Args): Promise<T> =>
        isDown ? Promise.reject(new Error('down')) : call(...args)
    const { store: inner } = world
    const publish = orFails(inner.publish)
    const store = { ...inner, publish, claim: orFails(inner.claim), settle: orFails(inner.settle), read: orFails(inner.read) }
    const node = world.node({ store })
    const { held, authorizing: authorization } = await slowExchange(world, node)
    isDown = true
    const closing = watched(node.manager.close({ graceMs }))
    held.release?.()
    await quiet()
    const back = () => {
      isDown = false
    }
    return { world, closing, authorization, back }
  }

  test('of an authorisation is tried again within the grace, and no longer', async () => {
    const { world, closing, authorization } = await authorizing(3_000)
    await pass(world.clock, 2_800)
    expect(closing.outcome).toBe('pending')
    await pass(world.clock, 400)
    expect(closing.outcome).toBe('resolved')
    expect(await failure(authorization.promise)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false })
  })

  test('of an authorisation is stored if the store is back within the grace', async () => {
    const { world, closing, authorization, back } = await authorizing(3_000)
    await pass(world.clock, 1_000)
    back()
    await pass(world.clock, 400)
    expect(closing.outcome).toBe('resolved')
    await authorization.promise
  })

  test('of an authorisation is lost without a grace, and said to be', async () => {
    const { closing, authorization } = await authorizing(0)
    expect(closing.outcome).toBe('resolved')
    expect(await failure(authorization.promise)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false })
  })
})

describe('an authorisation', () => {
  /** One that comes back to a node whose way to the store is as given. */
  async function comesBack(way: (inner: TokenStore) => Partial<TokenStore>) {
    const world = await createWorld()
    const node = world.node({ store: { ...world.store, ...way(world.store) } })
    const user = node.tokens.user(ANN)
    const code = secret(world.simulator.issueCode(world.appId, ANN), 'code')
    return { world, node, key: `tokenwell/${user.key}`, authorize: () => watched(user.authorize({ code })) }
  }

  test('whose lease comes when the grace is over gives it back, and its code is not used', async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const { world, node, key, authorize } = await comesBack((inner) => ({
      claim: async (...args) => {
        const claim = await inner.claim(...args)
        await released
        return claim
      },
    }))
    const authorizing = authorize()
    await quiet()
    const closing = watched(node.manager.close())
    release()
    expect(await failure(authorizing.promise)).toMatchObject({ code: 'CLOSED' })
    await closing.promise
    expect(requests(world) ?? 0).toBe(0)
    const [record] = await world.store.read([key], OPERATION)
    expect(record?.lease).toBeUndefined()
  })

  test('that is overtaken while its process closes is not begun anew: there is no lease to be had', async () => {
    let isOvertaken = false
    const { world, node, authorize } = await comesBack((inner) => ({
      publish: async (...args) => {
        const [key, , fence, , operation] = args
        if (!isOvertaken) return inner.publish(...args)
        const [snapshot] = await inner.read([key], operation)
        if (snapshot === undefined) throw new Error('nothing')
        return { kind: 'superseded', snapshot: { ...snapshot, version: fence + 60_000_000 } }
      },
    }))
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const authorizing = authorize()
    await world.simulator.next('held')
    isOvertaken = true
    const closing = watched(node.manager.close({ graceMs: 60_000 }))
    held.release?.()
    expect(await failure(authorizing.promise)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false, cause: { code: 'CLOSED' } })
    await quiet()
    expect(closing.outcome).toBe('resolved')
  })

  test('that has taken over from a holder that vanished lets its lease run out, so that the next one knows of that', async () => {
    const { world, node, key, authorize } = await comesBack(() => ({ publish: () => Promise.reject(new Error('down')) }))
    await world.store.claim(key, 'a holder that vanishes', { leaseMs: LEASE, seen: 0, rejected: 0 }, OPERATION)
    await pass(world.clock, LEASE)
    const authorizing = authorize()
    await eventually(() => (requests(world) ?? 0) === 1)
    await node.manager.close()
    expect(await failure(authorizing.promise)).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await pass(world.clock, LEASE)
    const next = await world.store.claim(key, 'the next', { leaseMs: LEASE, seen: 0, rejected: 0 }, OPERATION)
    expect(next).toMatchObject({ kind: 'granted', takeover: true })
  })
})

test('a record that cannot be read as what another token is made from keeps nobody', async () => {
  const world = await createWorld({ appType: 'custom' })
  const node = world.node()
  const key = `tokenwell/${node.tokens.app.key}`
  const claim = await world.store.claim(key, 'of another version', { leaseMs: 5_000, seen: 0, rejected: 0 }, OPERATION)
  if (claim.kind !== 'granted') throw new Error(claim.kind)
  const others = { value: '{"v":2}', renewInMs: HOUR, expiresInMs: 2 * HOUR }
  await world.store.publish(key, 'of another version', claim.fence, others, OPERATION)
  expect(await failure(node.tokens.app.get())).toMatchObject({ code: 'STORE_INCOMPATIBLE' })
  const caller = watched(node.tokens.jsapiTicket().get())
  await pass(world.clock, 15_000)
  expect(await failure(caller.promise)).toMatchObject({ code: 'STORE_INCOMPATIBLE' })
  const closing = watched(node.manager.close())
  await quiet()
  expect(closing.outcome).toBe('resolved')
  expect(stray).toEqual([])
})

test('a failure that no text can hold is shared without what holds it back', async () => {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  const manager = createTokenManager({ store, clock })
  const upstream = { code: 1n } as unknown as { code: number }
  const fetch = async () => {
    throw new TokenError('UPSTREAM_REFUSED', 'no', { retryable: false, upstream })
  }
  expect(await errorOf(manager.token({ key: 'k', fetch }).get())).toMatchObject({ code: 'UPSTREAM_REFUSED' })
  await quiet()
  const [record] = await store.read(['tokenwell/k'], OPERATION)
  expect(record?.lease).toBeUndefined()
  expect(JSON.parse(record?.backoff?.failure ?? '')).toEqual({ code: 'UPSTREAM_REFUSED', message: 'no', retryable: false })
  await manager.close()
  expect(stray).toEqual([])
})

test('closed once more by what its closing stops, a manager closes once: its store stays open for another', async () => {
  const clock = virtualClock()
  let closes = 0
  const inner = memoryStore({ clock })
  const close = async () => {
    closes += 1
  }
  const options: TokenManagerOptions = { clock, store: { ...inner, close } }
  const [manager, other] = [createTokenManager(options), createTokenManager(options)]
  const again: Promise<void>[] = []
  const fetch = ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        again.push(manager.close())
        reject(signal.reason)
      })
    })
  const caller = errorOf(manager.token({ key: 'k', fetch }).get())
  await quiet()
  await manager.close()
  expect(await caller).toMatchObject({ code: 'CLOSED' })
  expect(again).toHaveLength(1)
  await Promise.all(again)
  expect(closes).toBe(0)
  await other.close()
  expect(closes).toBe(1)
})
