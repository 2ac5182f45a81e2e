// One process that has a token fetched for each of many tenants, none of which had one. Answers with what they take in memory.
import { argument } from '../measure/child.ts'
import { heap } from '../measure/heap.ts'
import { answer } from '../measure/in-process.ts'
import { type Order, openTenants } from './tenants.ts'

export interface FillOrder extends Order {
  readonly ticket: string
}

export interface Filled {
  /** Of the heap, for all tokens, their values included. */
  readonly heapBytes: number
  /** Of the values. */
  readonly characters: number
  readonly tookMs: number
}

const CONCURRENCY = 100

const { ticket, ...order } = argument<FillOrder>()
const { tokens, names, handles, atRest, close } = openTenants(order)
await tokens.acceptAppTicket({ ticket, eventTime: new Date() })
// Whatever is compiled and kept once is there before anything is counted.
await tokens.warm(['first', 'second'], { concurrency: 2 })

const before = heap()
const begun = performance.now()
const { failed } = await tokens.warm(names(), { concurrency: CONCURRENCY })
const tookMs = performance.now() - begun
if (failed.length > 0) throw new Error(`${failed.length} tenants have no token: ${failed[0]?.error.message}`)
await atRest()
const heapBytes = heap() - before
const characters = handles().reduce((sum, handle) => sum + (handle.peek()?.value.length ?? Number.NaN), 0)
answer({ heapBytes, characters, tookMs } satisfies Filled)
await close()
