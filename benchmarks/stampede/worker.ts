// One process of a fleet. Told a client and a moment, all its callers ask for the client's token at that moment.
import { argument } from '../measure/child.ts'
import { type Counted, Histogram } from '../measure/histogram.ts'
import { moment, sharedNow } from '../measure/moment.ts'
import { serve } from '../measure/served.ts'
import type { Contender, Places } from './contender.ts'

export interface Order extends Places {
  readonly contender: string
}

export interface About {
  readonly name: string
}

export interface Start {
  readonly clientId: string
  readonly callers: number
  /** Of the clock that all processes share. */
  readonly at: number
}

export interface Settled {
  /** When the last caller was, by the clock that all processes share. */
  readonly at: number
  /** How long the callers waited for what came of it. */
  readonly waits: Counted
  readonly tokens: readonly string[]
  /** Why callers have no token. */
  readonly failures: readonly string[]
}

const { contender: file, ...places } = argument<Order>()
const { contender } = (await import(`./contenders/${file}.ts`)) as { readonly contender: Contender }
const opened = await contender.open(places)

serve<Start, Settled>({ name: contender.name } satisfies About, async ({ clientId, callers, at: startAt }) => {
  const get = opened(clientId)
  await moment(startAt)
  const waits = new Histogram()
  const settled = () => waits.record((sharedNow() - startAt) * 1e6)
  const outcomes = await Promise.allSettled(Array.from({ length: callers }, () => get().then(tokenOf).finally(settled)))
  const at = sharedNow()
  return {
    at,
    waits: waits.counted,
    tokens: [...new Set(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])))],
    failures: outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : [])),
  }
})

/** @throws Error when it is none */
function tokenOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`${value} is no token`)
  return value
}
