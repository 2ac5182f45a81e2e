import { createTokenManager, type TokenHandle } from '@tokenwell/core'
import { redisStore } from '@tokenwell/store-redis'
import { Redis } from 'ioredis'
import type { Contender } from '../contender.ts'
import { WINDOW_MS } from '../schedule.ts'

/** The default policy, scaled down to tokens that live for seconds; without jitter, so that the renewals keep to their turns. */
const policy = { renewWindowMs: WINDOW_MS, renewJitterMs: 0, floorMs: 1_000, minimumLifeMs: 15_000 }

export const contender: Contender = {
  name: 'Tokenwell',
  open({ redisUrl, keys, request }) {
    const manager = createTokenManager({ store: redisStore({ client: new Redis(redisUrl) }) })
    const handles = keys.map((key, index) => manager.token({ key, policy, fetch: ({ signal }) => request(index, signal) }))
    return (index) => (handles[index] as TokenHandle).get()
  },
}
