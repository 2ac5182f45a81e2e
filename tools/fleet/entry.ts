import type { TokenEvent } from '@tokenwell/core'

/** Where a node can be held: before the upstream is asked, after it has answered, before the token is published, after that was answered. */
export type Point = 'claimed' | 'requesting' | 'replied' | 'publishing' | 'published'

/** What a node did or saw, or what was done to the fleet. `at` is milliseconds of the machine's monotonic clock, the same for all processes. */
export type Entry = { readonly at: number; readonly node: string } & (
  | StoreCall
  /** A request for a token, from when it was handed to the connection until it was answered or given up. */
  | { readonly kind: 'fetch'; readonly sentAt: number; readonly status?: number; readonly error?: string }
  /** Callers are given another token than before. `askedAt`: when the first of them asked. */
  | { readonly kind: 'served'; readonly askedAt: number; readonly version: number; readonly lifeMs: number; readonly digest: string }
  /** A token was served after its end. */
  | { readonly kind: 'served-expired'; readonly version: number; readonly lifeMs: number }
  /** A token was served that the store had called rejected before its caller asked. */
  | { readonly kind: 'served-rejected'; readonly version: number; readonly rejectedUpTo: number }
  /** Callers who were not served at once: the one that waited longest of those who asked together. */
  | { readonly kind: 'waited'; readonly askedAt: number; readonly callers: number }
  | { readonly kind: 'failed'; readonly askedAt: number; readonly code: string; readonly message: string }
  | { readonly kind: 'event'; readonly key: string; readonly type: TokenEvent['type']; readonly version?: number }
  /** The store's push told of a change, or of a gap. */
  | { readonly kind: 'hint' }
  | { readonly kind: 'reached'; readonly point: Point }
  | { readonly kind: 'closed'; readonly asked: number; readonly settled: number }
  /** Said by the test. After `data-loss` the store no longer knows everything it had acknowledged. */
  | { readonly kind: 'mark'; readonly what: 'data-loss' | 'fault' | 'healed' }
  /** Time was moved on for everybody by so many milliseconds. */
  | { readonly kind: 'passed'; readonly ms: number }
)

/** One operation of the store, from when core called it until it was answered. */
export interface StoreCall {
  readonly kind: 'store'
  readonly operation: 'read' | 'claim' | 'publish' | 'settle' | 'invalidate'
  readonly key: string
  readonly sentAt: number
  readonly attempt?: string
  /** Granted, published or settled. */
  readonly fence?: number
  readonly leaseMs?: number
  /** The kind of the answer; `failed` when there was none. */
  readonly outcome: string
  /** The version in the answer. */
  readonly version?: number
}

/** Milliseconds of the machine's monotonic clock, the same in every process. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
