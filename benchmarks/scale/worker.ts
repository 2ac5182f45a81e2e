// One process of a fleet, each of which serves all tenants. It takes over their tokens; told when the first may be due, it answers when it has
// a new one of each.
import { argument } from '../measure/child.ts'
import { heap } from '../measure/heap.ts'
import { type LoopDelay, watchLoop } from '../measure/loop-delay.ts'
import { moment, sharedNow } from '../measure/moment.ts'
import { serve } from '../measure/served.ts'
import { type Order, openTenants } from './tenants.ts'

export interface About {
  /** Of the heap, for all tokens, their values included. */
  readonly heapBytes: number
  /** Of the values. */
  readonly characters: number
  /** When all were taken over, by the clock that all processes share. */
  readonly at: number
}

/** Moments of the clock that all processes share. */
export interface Stretch {
  readonly from: number
  /** When all tokens have ended. */
  readonly until: number
}

export interface Rotated {
  readonly delay: LoopDelay
  /** Of the store. */
  readonly operations: number
  /** When the last token was replaced. */
  readonly at: number
}

const order = argument<Order>()
const awaited = new Set<string>()
let done: (() => void) | undefined

const { manager, tokens, names, handles, asked } = openTenants(order, ({ type, key }) => {
  if (type === 'renewed' || type === 'adopted') awaited.delete(key)
  if (awaited.size === 0) done?.()
})
const before = heap()
await tokens.warm(names())
await tokens.appAccessToken()
const heapBytes = heap() - before
// Whoever is read stays warm.
const characters = handles().reduce((sum, handle) => sum + (handle.peek()?.value.length ?? Number.NaN), 0)
for (const { key } of handles()) awaited.add(key)

serve<Stretch, Rotated>({ heapBytes, characters, at: sharedNow() } satisfies About, async ({ from, until }) => {
  const rotated = new Promise<void>((resolve, reject) => {
    done = resolve
    setTimeout(() => reject(new Error(`${awaited.size} tokens have ended before they were replaced: ${states()}`)), until - sharedNow())
  })
  await moment(from)
  const before = asked()
  const delay = watchLoop()
  await rotated
  return { delay: delay(), operations: asked() - before, at: sharedNow() }
})

/** What keeps those tokens, and of how many. */
function states(): string {
  const kept = manager.status().filter(({ key }) => awaited.has(key))
  const of = Map.groupBy(kept, ({ state, lastError }) => `${state} ${lastError?.message ?? 'without a failure'}`)
  return Array.from(of, ([what, those]) => `${those.length} ${what}`).join('; ')
}
