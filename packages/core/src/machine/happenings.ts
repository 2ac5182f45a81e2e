import type { TokenError } from '../errors.ts'
import type { Claim, Publication, Snapshot, Version } from '../store.ts'
import type { State } from './state.ts'

/** What the machine cannot know by itself; it comes with every event. */
export interface Moment {
  /** Milliseconds of the node's monotonic clock. */
  readonly now: number
  /** A draw from [0, 1) for whatever jitter the event needs. */
  readonly chance: number
  /** A caller is waiting. */
  readonly waiting: boolean
  /** The token was asked for since its last renewal. */
  readonly asked: boolean
  /** Whether the store pushes hints: switched on, not to be had for now, or not tried yet. */
  readonly hints: 'on' | 'off' | 'untried'
}

/**
 * How a fetch failed: nobody knows whether it had an effect; it had none; it was not tried, as something it needs is not there.
 * The first two differ only where a fetch uses something up.
 */
export type FetchFailure = 'failed' | 'unspent' | 'blocked'

/** What can happen to a key. `sentAt` is when the request was sent, by the node's monotonic clock. */
export type Happening =
  /** A caller needs more than memory has, or met a token that is due. */
  | { readonly type: 'wanted' }
  /** The moment of `wakeAt` has come. */
  | { readonly type: 'woke' }
  | {
      readonly type: 'claimed'
      readonly attempt: number
      readonly sentAt: number
      readonly claim: Claim
      readonly failure: TokenError | undefined
    }
  /** Nothing was claimed: what the fetch needs is not there. */
  | { readonly type: 'claim-blocked'; readonly attempt: number; readonly failure: TokenError }
  | { readonly type: 'claim-failed'; readonly attempt: number; readonly failure: TokenError }
  | { readonly type: 'fetched'; readonly attempt: number; readonly sentAt: number; readonly value: string; readonly expiresInMs: number }
  | { readonly type: 'fetch-failed'; readonly attempt: number; readonly failure: TokenError; readonly outcome: FetchFailure }
  | { readonly type: 'published'; readonly attempt: number; readonly sentAt: number; readonly publication: Publication }
  | { readonly type: 'publish-failed'; readonly attempt: number; readonly failure: TokenError }
  /** What a fetch was blocked on is there, or cannot be had. */
  | { readonly type: 'unblocked' }
  | { readonly type: 'block-failed'; readonly failure: TokenError }
  /** A snapshot that came with the answer to a read or a settle. */
  | { readonly type: 'told'; readonly sentAt: number; readonly snapshot: Snapshot; readonly read: boolean }
  | { readonly type: 'read-failed' }
  /** A caller reports that this version is refused, and the value that it had. */
  | { readonly type: 'rejected'; readonly version: Version; readonly value: string }
  | { readonly type: 'invalidated'; readonly version: Version; readonly sentAt: number; readonly snapshot: Snapshot }
  | { readonly type: 'invalidate-failed'; readonly version: Version }
  /** A hint; without a version, some hints may have been lost. */
  | { readonly type: 'changed'; readonly version?: Version }
  | { readonly type: 'subscribed' }
  /** The node's clocks disagree about how much time has passed. */
  | { readonly type: 'doubted' }
  /** With `finish`, a fetch in flight is brought to its end and published. */
  | { readonly type: 'close'; readonly finish: boolean }

export type Event = Moment & Happening

/** The event of one type. */
export type Of<Type extends Happening['type']> = Moment & Extract<Happening, { readonly type: Type }>

/** Something worth telling an operator. */
export type Notice =
  | { readonly type: 'renewed'; readonly version: Version; readonly lifeMs: number }
  | { readonly type: 'adopted'; readonly version: Version; readonly lifeMs: number }
  | { readonly type: 'superseded'; readonly version: Version }
  | { readonly type: 'rejected'; readonly version: Version }
  | { readonly type: 'vouched'; readonly version: Version }
  | { readonly type: 'held'; readonly leaseMs: number }
  | { readonly type: 'granted'; readonly fence: Version; readonly takeover: boolean }
  | { readonly type: 'blocked'; readonly failure: TokenError }
  | { readonly type: 'backoff'; readonly retryInMs: number; readonly failure: TokenError; readonly shared: boolean }
  | { readonly type: 'detached'; readonly failure: TokenError }
  | { readonly type: 'outcome-unknown'; readonly failure: TokenError }
  | { readonly type: 'doubted' }

/** What the runner is asked to do, in this order. */
export type Effect =
  | { readonly type: 'claim'; readonly attempt: number; readonly leaseMs: number; readonly seen: Version; readonly rejected: Version }
  | {
      readonly type: 'fetch'
      readonly attempt: number
      readonly deadline: number
      /** After the deadline, how much longer a reply is taken, milliseconds. */
      readonly graceMs: number
      readonly detached: boolean
      readonly previous: { readonly value: string; readonly version: Version } | undefined
    }
  /** The fetch of this attempt is no longer wanted. */
  | { readonly type: 'abandon-fetch'; readonly attempt: number }
  | {
      readonly type: 'publish'
      readonly attempt: number
      readonly fence: Version
      readonly value: string
      readonly renewAt: number
      readonly expiresAt: number
      /** For how long its rejection is to change nothing, milliseconds; 0 for not at all. */
      readonly quietMs: number
      readonly basedOn: Version | undefined
    }
  | {
      readonly type: 'settle'
      readonly attempt: number
      readonly fence: Version
      readonly backoffMs: number
      readonly failure?: TokenError
    }
  | { readonly type: 'read' }
  | { readonly type: 'invalidate'; readonly version: Version }
  | { readonly type: 'subscribe' }
  /** Report when what the fetch was blocked on is there. */
  | { readonly type: 'await-dependency' }
  | { readonly type: 'forget-dependency' }
  | { readonly type: 'notify'; readonly notice: Notice }

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}
