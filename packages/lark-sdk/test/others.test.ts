import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as lark from '@larksuiteoapi/node-sdk'
import { larkCache } from '@tokenwell/lark-sdk'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createWorld } from './support/world.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

afterEach(() => {
  vi.useRealTimers()
})

async function newCache(options?: Parameters<typeof larkCache>[1]): Promise<lark.Cache> {
  return larkCache((await createWorld()).node(), options)
}

/** Sets so many values, and returns what tells whether anything still holds them. */
async function fill(cache: lark.Cache, count: number, expire: number): Promise<WeakRef<object>[]> {
  const values = Array.from({ length: count }, () => ({}))
  for (const [at, value] of values.entries()) await cache.set(`message-${at} of ${count}`, value, expire, { namespace: 'channel:seen' })
  // What a WeakRef was made for is held until the turn of the event loop is over.
  const refs = values.map((value) => new WeakRef(value))
  await new Promise<void>((resolve) => setImmediate(resolve))
  return refs
}

describe('values that are no tokens are kept in memory', () => {
  test('until they end', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    const cache = await newCache()
    expect(await cache.set('key', 'value', 1_000_500)).toBe(true)
    expect(await cache.get('key')).toBe('value')
    vi.setSystemTime(1_000_500)
    expect(await cache.get('key')).toBeUndefined()
  })

  test.each([undefined, 0, Number.POSITIVE_INFINITY])('for good with %s for an end, as in the cache of the SDK', async (expire) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const cache = await newCache()
    await cache.set('key', { nested: true }, expire)
    vi.setSystemTime(Date.now() + 365 * 24 * 3_600_000)
    expect(await cache.get('key')).toEqual({ nested: true })
  })

  test('apart by namespace, and by key however the two are put together', async () => {
    const cache = await newCache()
    await cache.set('c', 1, undefined, { namespace: 'a/b' })
    await cache.set('b/c', 2, undefined, { namespace: 'a' })
    await cache.set('a/b/c', 3)
    expect(await cache.get('c', { namespace: 'a/b' })).toBe(1)
    expect(await cache.get('b/c', { namespace: 'a' })).toBe(2)
    expect(await cache.get('a/b/c')).toBe(3)
    expect(await cache.get('c')).toBeUndefined()
  })

  test('whichever copy of the SDK asks: symbols of one name are one key', async () => {
    const cache = await newCache()
    await cache.set(Symbol('aily-session-record'), { a: 1 })
    expect(await cache.get(Symbol('aily-session-record'))).toEqual({ a: 1 })
  })

  test('without piling up: those that have ended are let go of', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    const cache = await newCache()
    const ended = await fill(cache, 999, 1_000_001)
    vi.setSystemTime(1_000_001)
    const alive = await fill(cache, 1, 2_000_000)
    collectGarbage()
    expect(ended.filter((each) => each.deref() !== undefined)).toEqual([])
    expect(alive.map((each) => each.deref())).toEqual([await cache.get('message-0 of 1', { namespace: 'channel:seen' })])
  })

  test('the login of a user that the SDK keeps there works as before', async () => {
    const world = await createWorld({ app: { type: 'custom' } })
    const { client } = world.client(larkCache(world.node()))
    await client.userAccessToken.initWithCode({ account: world.sim.issueCode(world.app.appId, 'user-1') })
    const token = (await client.userAccessToken.get('account')) ?? ''
    expect(await client.authen.userInfo.get({}, lark.withUserAccessToken(token))).toMatchObject({ code: 0, data: { open_id: 'user-1' } })
    expect(world.sentBySdk).toEqual([])
  })
})

test('they go to a cache of your own instead, and tokens and tickets do not', async () => {
  const world = await createWorld({ app: { type: 'custom' } })
  const others = new lark.DefaultCache()
  const tokens = world.node()
  const cache = larkCache(tokens, { others })
  const end = Date.now() + 60_000
  await cache.set('key', 'value', end, { namespace: 'mine' })
  expect(await others.get('key', { namespace: 'mine' })).toBe('value')
  await others.set('there before', 'value')
  expect(await cache.get('there before')).toBe('value')
  await world.client(cache).whoami()
  expect(others.values.size).toBe(2)
})
