import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis as Admin } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'

const DEADLINE_MS = 100

describe.each(versions)('over ioredis $ioredis a call ends by its deadline', ({ connect }) => {
  let server: RedisServer

  beforeAll(async () => {
    server = await startRedis()
  })

  afterAll(() => server.stop())

  async function open() {
    const client = connect(server.url)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client })
    onTestFinished(() => store.close())
    // The server has to know the scripts: what was given up is not sent again in full.
    await store.publish('warm', 'a', 7, publication, patient)
    await store.read(['warm'], patient)
    return store
  }

  /** Every operation, each with a deadline of its own, must be given up with the reason of its signal. */
  async function expectDeadlines(store: Awaited<ReturnType<typeof open>>): Promise<void> {
    const calls = [
      () => store.read(['key', 'other'], { signal: AbortSignal.timeout(DEADLINE_MS) }),
      () => store.claim('key', 'late', claim, { signal: AbortSignal.timeout(DEADLINE_MS) }),
      () => store.publish('key', 'late', 7, publication, { signal: AbortSignal.timeout(DEADLINE_MS) }),
      () => store.settle('key', 'late', 7, { backoffMs: 0 }, { signal: AbortSignal.timeout(DEADLINE_MS) }),
      () => store.invalidate('key', 7, { signal: AbortSignal.timeout(DEADLINE_MS) }),
    ]
    const started = performance.now()
    const outcomes = await Promise.allSettled(calls.map((call) => call()))
    expect(performance.now() - started).toBeLessThan(20 * DEADLINE_MS)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.name)).toEqual(
      Array(calls.length).fill('TimeoutError'),
    )
  }

  test('while the server pauses its clients', async () => {
    const store = await open()
    const admin = new Admin(server.url)
    onTestFinished(() => admin.disconnect())
    // Nobody can end this pause, not even who began it.
    await admin.client('PAUSE', 10 * DEADLINE_MS, 'ALL')
    await expectDeadlines(store)
    expect((await store.read(['key'], patient))[0]?.version).toBe(7)
  })

  test('while the server is frozen', async () => {
    const store = await open()
    server.pause()
    await expectDeadlines(store)
    server.resume()
    expect((await store.read(['key'], patient))[0]?.version).toBe(7)
  })

  test('while the server is gone, and what was given up is harmless when it is back', async () => {
    const store = await open()
    await server.kill()
    await expectDeadlines(store)
    await server.restart()
    const again = await store.claim('key', 'late', claim, patient)
    expect(['granted', 'fresh', 'held']).toContain(again.kind)
  })

  test('a subscription to a frozen server ends when the store is closed', async () => {
    const store = await open()
    server.pause()
    onTestFinished(() => server.resume())
    const subscribing = store.subscribe?.(() => {})
    await store.close()
    await expect(subscribing).rejects.toThrow('the subscription was ended before it began')
  })
})
