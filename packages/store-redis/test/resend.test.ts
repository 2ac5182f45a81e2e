import { once } from 'node:events'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis as Admin } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'
import { fieldsOf } from './support/records.ts'

describe.each(versions)('what ioredis $ioredis sends again after it has connected again', ({ connect }) => {
  let server: RedisServer
  let admin: Admin

  beforeAll(async () => {
    server = await startRedis()
    admin = new Admin(server.url)
  })

  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  /** Scripts that the server has run since it was last asked. */
  async function scriptsRun(): Promise<number> {
    const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats')) ?? []
    await admin.config('RESETSTAT')
    return Number(calls ?? 0)
  }

  /** Lets the server get a request, and loses the connection before the reply. */
  async function twice<T>(request: (store: ReturnType<typeof redisStore>) => Promise<T>): Promise<T> {
    const client = connect(server.url)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client })
    await store.claim('warm', 'a', claim, patient)
    await store.publish('warm', 'a', 1, publication, patient)
    await scriptsRun()
    server.pause()
    const answer = request(store)
    await new Promise((resolve) => client.stream.write('', resolve))
    const closed = once(client, 'close')
    client.stream.destroy()
    await closed
    server.resume()
    const answered = await answer
    expect(await scriptsRun()).toBe(2)
    return answered
  }

  test('is one grant', async () => {
    const claimed = await twice((store) => store.claim('leased', 'a', claim, patient))
    expect(claimed.kind).toBe('granted')
    expect(claimed.kind === 'granted' && claimed.takeover).toBe(false)
    expect((await fieldsOf(admin, '{tokenwell:leased}')).fence).toBe(claimed.kind === 'granted' && claimed.fence)
  })

  test('is one publication', async () => {
    const version = Date.now() * 1000
    const { kind, snapshot } = await twice((store) => store.publish('published', 'a', version, publication, patient))
    expect([kind, snapshot.version]).toEqual(['accepted', version])
  })
})
