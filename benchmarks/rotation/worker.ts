// One process of a fleet under load. Told a stretch of time, it gets its first tokens, and answers with what its callers met then.
import { argument } from '../measure/child.ts'
import { moment } from '../measure/moment.ts'
import { serve } from '../measure/served.ts'
import { requestToken } from '../measure/upstream-client.ts'
import type { Contender } from './contender.ts'
import { Load, type Met } from './load.ts'
import { lifeMs } from './schedule.ts'

export interface Order {
  readonly contender: string
  readonly redisUrl: string
  readonly upstreamUrl: string
  readonly keys: readonly string[]
  /** Nothing is renewed. */
  readonly isStill: boolean
}

export interface About {
  readonly name: string
}

/** Moments of the clock that all processes share. */
export interface Stretch {
  readonly from: number
  readonly until: number
}

const { contender: file, redisUrl, upstreamUrl, keys, isStill } = argument<Order>()
const { contender } = (await import(`./contenders/${file}.ts`)) as { readonly contender: Contender }
/** Keys that have had a token. The whole fleet has its first ones before anything is renewed. */
const known = new Set<number>()

const get = contender.open({
  redisUrl,
  keys,
  async request(index, signal) {
    const { value } = await requestToken(upstreamUrl, keys[index] as string, signal)
    return { value, expiresInMs: lifeMs(index, !known.has(index), isStill) }
  },
})

// Node loads its fetch when it is first used, which keeps the event loop for tens of milliseconds: whoever serves others has long used it.
await requestToken(upstreamUrl, 'nobody')

serve<Stretch, Met>({ name: contender.name } satisfies About, async ({ from, until }) => {
  await Promise.all(
    keys.map(async (_, index) => {
      await get(index)
      known.add(index)
    }),
  )
  const load = new Load(get, keys.length)
  load.start()
  await moment(from)
  load.take()
  await moment(until)
  await load.stop()
  return load.take()
})
