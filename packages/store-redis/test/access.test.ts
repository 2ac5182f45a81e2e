import { readFileSync } from 'node:fs'
import type { StoreChange } from '@tokenwell/core'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The rule of the README, as arguments of ACL SETUSER after the name. */
function documentedRule(): string[] {
  const [, rule] = /^ACL SETUSER tokenwell (.+)$/m.exec(README.replaceAll(/\\\n\s*/g, '')) ?? []
  if (rule === undefined) throw new Error('the README has no ACL rule')
  return rule.split(' ')
}

describe.each(versions)('over ioredis $ioredis a user', ({ connect }) => {
  let server: RedisServer
  let admin: Redis
  let users = 0

  beforeAll(async () => {
    server = await startRedis()
    admin = new Redis(server.url)
  })

  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  async function storeOfUser(rule: readonly string[]) {
    const username = `user-${users++}`
    await admin.acl('SETUSER', username, ...rule.map((each) => each.replace('<password>', 'a password')))
    const client = connect(server.url, { username, password: 'a password' })
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client })
    onTestFinished(() => store.close())
    return { client, store }
  }

  test('with the rights that are documented can do everything, and nothing else', async () => {
    const { client, store } = await storeOfUser(documentedRule())
    const changes: StoreChange[] = []
    await store.subscribe?.((change) => changes.push(change))
    const granted = await store.claim('key', 'a', claim, patient)
    const fence = granted.kind === 'granted' ? granted.fence : 0
    expect((await store.publish('key', 'a', fence, publication, patient)).kind).toBe('accepted')
    expect((await store.invalidate('key', fence, patient)).rejectedUpTo).toBe(fence)
    const second = await store.claim('key', 'b', claim, patient)
    await store.settle('key', 'b', second.kind === 'granted' ? second.fence : 0, { backoffMs: 5 }, patient)
    expect((await store.read(['key'], patient))[0]?.backoff?.failures).toBe(1)
    await expect.poll(() => changes.length).toBe(3)
    await expect(client.get('elsewhere')).rejects.toThrow(/NOPERM/)
    await expect(client.flushall()).rejects.toThrow(/NOPERM/)
  })

  test('without the right to the channel publishes without announcing', async () => {
    const { store } = await storeOfUser(documentedRule().map((each) => (each.startsWith('&') ? 'resetchannels' : each)))
    expect((await store.publish('key', 'other', Date.now() * 1000, publication, patient)).kind).toBe('accepted')
    await expect(store.subscribe?.(() => {})).rejects.toThrow(/NOPERM/)
  })
})

test.each([2, 3] as const)('RESP%i is spoken', async (protocol) => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const client = new Redis(server.url, { protocol })
  onTestFinished(() => client.disconnect())
  const store = redisStore({ client })
  onTestFinished(() => store.close())
  const changes: StoreChange[] = []
  await store.subscribe?.((change) => changes.push(change))
  expect((await store.publish('key', 'a', 5, publication, patient)).snapshot.version).toBe(5)
  await expect.poll(() => changes).toEqual([{ kind: 'changed', key: 'key', version: 5 }])
})
