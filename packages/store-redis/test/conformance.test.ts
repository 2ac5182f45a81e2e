import { provideRedis, type SharedRedis } from '@tokenwell/test-servers'
import { afterAll, beforeAll, describe } from 'vitest'
import { testConformance } from './support/conformance.ts'
import { type AnyRedis, versions } from './support/ioredis.ts'

describe.each(versions)('over ioredis $ioredis the Redis store keeps the contract', ({ connect }) => {
  let server: SharedRedis
  let admin: AnyRedis

  beforeAll(async () => {
    server = await provideRedis()
    admin = connect(server.url)
  })

  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  testConformance({ connect: () => connect(server.url), admin: () => admin })
})
