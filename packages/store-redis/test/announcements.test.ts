import type { StoreChange, TokenStore } from '@tokenwell/core'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis as Admin } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type ClientOptions, versions } from './support/ioredis.ts'
import { patient, publication } from './support/operations.ts'

describe.each(versions)('announcements over ioredis $ioredis', ({ connect }) => {
  let server: RedisServer
  let admin: Admin
  let version = Date.now() * 1000

  beforeAll(async () => {
    server = await startRedis()
    admin = new Admin(server.url)
  })

  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  function open(options: ClientOptions = {}, keyPrefix = 'tokenwell') {
    const client = connect(server.url, options)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client, keyPrefix })
    onTestFinished(() => store.close())
    return { client, store }
  }

  const publish = async (store: TokenStore, key = 'key') => {
    version += 1
    await store.publish(key, `attempt ${version}`, version, publication, patient)
    return { kind: 'changed', key, version } as const
  }

  async function listen(store: TokenStore) {
    const changes: StoreChange[] = []
    const stop = (await store.subscribe?.((change) => changes.push(change))) ?? (async () => {})
    return { changes, stop }
  }

  const listeners = async () =>
    String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
      .split('\n')
      .filter(Boolean).length

  test('a connection of its own exists only while somebody listens', async () => {
    const { store } = open()
    expect(await listeners()).toBe(0)
    const [one, two] = [await listen(store), await listen(store)]
    expect(await listeners()).toBe(1)
    await one.stop()
    expect(await listeners()).toBe(1)
    await two.stop()
    await expect.poll(listeners).toBe(0)
    await listen(store)
    expect(await listeners()).toBe(1)
    await store.close()
    await expect.poll(listeners).toBe(0)
    await expect(listen(store)).rejects.toThrow('the store has been closed')
  })

  test('an idle subscription does not keep the process alive', async () => {
    const { client, store } = open()
    const sockets = () => process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length
    await store.read(['key'], patient)
    const before = sockets()
    await listen(store)
    expect(sockets()).toBe(before)
    client.disconnect()
  })

  test('a connection that was lost is followed by a gap, once changes are heard again', async () => {
    const { store } = open()
    const { changes } = await listen(store)
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect.poll(() => changes).toEqual([{ kind: 'gap' }])
    const change = await publish(store)
    await expect.poll(() => changes).toEqual([{ kind: 'gap' }, change])
  })

  test('a server that was started again is heard again', async () => {
    const { store } = open()
    const { changes } = await listen(store)
    await server.restart()
    await expect.poll(() => changes, { timeout: 5_000 }).toContainEqual({ kind: 'gap' })
    const change = await publish(store)
    await expect.poll(() => changes).toContainEqual(change)
  })

  test('a connection that the client would not renew is replaced', async () => {
    const { store } = open({ retryStrategy: () => null })
    const { changes } = await listen(store)
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect.poll(() => changes, { timeout: 5_000 }).toEqual([{ kind: 'gap' }])
    const change = await publish(store)
    await expect.poll(() => changes).toContainEqual(change)
  })

  test('a server that is not there is said so', async () => {
    const client = connect('redis://127.0.0.1:1', { lazyConnect: true })
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client })
    await expect(listen(store)).rejects.toThrow(/ECONNREFUSED/)
    await store.close()
  })

  test('a client that keeps no queue can be listened to', async () => {
    const { client, store } = open({ enableOfflineQueue: false })
    if (client.status !== 'ready') await new Promise<void>((resolve) => client.once('ready', resolve))
    const { changes } = await listen(store)
    const change = await publish(store)
    await expect.poll(() => changes).toEqual([change])
  })

  test('keys come back as they were', async () => {
    const { store } = open()
    const { changes } = await listen(store)
    const expected: StoreChange[] = []
    for (const key of ['', 'a b', '{tag}', 'a:b%', '\ud800', '租户\n']) expected.push(await publish(store, key))
    await expect.poll(() => changes).toEqual(expected)
  })

  test('other prefixes are not heard, neither of the store nor of the client', async () => {
    const { store } = open({ keyPrefix: 'app:' }, 'one')
    const { changes } = await listen(store)
    await publish(open({ keyPrefix: 'app:' }, 'two').store)
    await publish(open({}, 'one').store)
    const change = await publish(open({ keyPrefix: 'app:' }, 'one').store)
    await expect.poll(() => changes).toEqual([change])
  })

  test('what somebody else says on the channel is not told', async () => {
    const { store } = open()
    const { changes } = await listen(store)
    for (const message of ['', 'hello', '5', '5 key', 'x {tokenwell:key}', '-1 {tokenwell:key}']) {
      await admin.publish('tokenwell:changes', message)
    }
    const change = await publish(store)
    await expect.poll(() => changes).toEqual([change])
  })
})
