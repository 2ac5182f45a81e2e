import { redisStore } from '@tokenwell/store-redis'
import { Redis } from 'ioredis'
import type { Contender } from '../contender.ts'
import { openTokenwell } from '../tokenwell.ts'

export const contender: Contender = {
  name: 'Tokenwell on Redis',
  open: ({ redisUrl, upstreamUrl }) => openTokenwell(redisStore({ client: new Redis(redisUrl) }), upstreamUrl),
}
