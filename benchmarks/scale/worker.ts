// One process with so many tenants. Answers with what their tokens take in memory.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createTokenManager } from '@tokenwell/core'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { redisStore } from '@tokenwell/store-redis'
import { Redis } from 'ioredis'
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { APP } from './app.ts'
import type { Address } from './platform.ts'

export interface Order {
  readonly tenants: number
  readonly redisUrl: string
}

export interface Measured {
  /** Of the heap, for each token, beyond the characters of its value and of the tenant's key. */
  readonly bytesPerToken: number
  readonly warmMs: number
}

const CONCURRENCY = 100

async function main(): Promise<void> {
  const { tenants, redisUrl } = argument<Order>()
  const platform = fork(fileURLToPath(new URL('platform.ts', import.meta.url)), { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const [address] = (await once(platform, 'message')) as [Address]
  const client = new Redis(redisUrl)
  const manager = createTokenManager({ store: redisStore({ client }), storeTimeoutMs: 10_000, maxEntries: 1_000_000 })
  const { appId, appSecret } = APP
  const tokens = createFeishuTokens({ appId, appSecret, manager, domain: address.url })
  await tokens.acceptAppTicket({ ticket: address.ticket, eventTime: new Date() })
  // Whatever is compiled and kept once is there before anything is counted.
  await tokens.warm(['first', 'second'], { concurrency: 2 })

  const names = Array.from({ length: tenants }, (_, index) => `tenant-${String(index).padStart(8, '0')}`)
  const before = heap()
  const begun = performance.now()
  const { failed } = await tokens.warm(names, { concurrency: CONCURRENCY })
  const warmMs = performance.now() - begun
  if (failed.length > 0) throw new Error(`${failed.length} tenants have no token: ${failed[0]?.error.message}`)
  const taken = heap() - before
  const characters = names.reduce((sum, name) => sum + (tokens.tenant(name).peek()?.value.length ?? Number.NaN), 0)
  answer({ bytesPerToken: (taken - characters) / tenants, warmMs } satisfies Measured)

  await tokens.close()
  await manager.close()
  client.disconnect()
  platform.disconnect()
}

function heap(): number {
  for (let times = 0; times < 3; times++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

await main()
