import { createHash } from 'node:crypto'
import type { TokenEvent } from '@tokenwell/core'

/** Where a node can be held: before the upstream is asked, after it has answered, before the token is published, after that was answered. */
export type Point = 'claimed' | 'requesting' | 'replied' | 'publishing' | 'published'

/** What a node did or saw, or what was done to the fleet. `at` is milliseconds of the machine's monotonic clock, the same for all processes. */
export type Entry = { readonly at: number; readonly node: string } & (
  | StoreCall
  /** A refresh token is about to be sent. */
  | { readonly kind: 'spending'; readonly digest: string }
  /** A request for a token, from when it was handed to the connection until it was answered or given up. */
  | { readonly kind: 'fetch'; readonly sentAt: number; readonly status?: number; readonly error?: string }
  /** Callers are given another token than before. `askedAt`: when the first of them asked. `key` here and below: of what, if not the app. */
  | {
      readonly kind: 'served'
      readonly askedAt: number
      readonly version: number
      readonly lifeMs: number
      readonly digest: string
      readonly key?: string
    }
  /** A token was served after its end. */
  | { readonly kind: 'served-expired'; readonly version: number; readonly lifeMs: number; readonly key?: string }
  /** A token was served that the store had called rejected before its caller asked. */
  | { readonly kind: 'served-rejected'; readonly version: number; readonly rejectedUpTo: number; readonly key?: string }
  /** Callers who were not served at once: the one that waited longest of those who asked together. `boundMs`: the longest they want to. */
  | { readonly kind: 'waited'; readonly askedAt: number; readonly callers: number; readonly key?: string; readonly boundMs?: number }
  | { readonly kind: 'failed'; readonly askedAt: number; readonly code: string; readonly message: string; readonly key?: string }
  /** What became of the callers of a while: how many were served, how many failed and how, and the last of each token. */
  | {
      readonly kind: 'tally'
      readonly served: number
      readonly failed: Readonly<Record<string, number>>
      readonly last: readonly LastServed[]
    }
  | { readonly kind: 'event'; readonly key: string; readonly type: TokenEvent['type']; readonly version?: number }
  /** The store's push told of a change, or of a gap. */
  | { readonly kind: 'hint' }
  | { readonly kind: 'reached'; readonly point: Point }
  | { readonly kind: 'closed'; readonly asked: number; readonly settled: number }
  /** `key`: of one record alone. */
  | { readonly kind: 'mark'; readonly what: Mark; readonly key?: string }
  /** Time was moved on for everybody by so many milliseconds. */
  | { readonly kind: 'passed'; readonly ms: number }
)

/**
 * Said by the test. After `losing-data` the store may at any moment forget what it had acknowledged; after `data-loss` it has, and knows what it
 * has acknowledged since.
 */
export type Mark = 'losing-data' | 'data-loss' | 'fault' | 'healed'

/** The last caller who was given a token so far: when it asked, and when it had it. */
export interface LastServed {
  readonly key: string
  readonly version: number
  readonly digest: string
  readonly askedAt: number
  readonly at: number
}

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

/** The store's keys begin with it, everybody else's do not. */
export function withoutNamespace(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

/** Tells secrets apart without being one. */
export function digest(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 12)
}

/** Milliseconds of the machine's monotonic clock, the same in every process. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
