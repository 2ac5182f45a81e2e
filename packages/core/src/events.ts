import diagnosticsChannel from 'node:diagnostics_channel'
import type { TokenError, TokenErrorCode } from './errors.ts'
import type { FetchFailure, Notice } from './machine/happenings.ts'
import { checkFunction, checkObject } from './options.ts'

/** What happens to an app ticket; told by the credentials that need one. */
export type TicketNotice =
  /** A pushed ticket is in the store and is everyone's. */
  | { readonly type: 'ticket-accepted'; readonly version: number }
  /** A ticket that is older than, or the same as, the one the fleet has. */
  | { readonly type: 'ticket-ignored'; readonly version: number }
  /** The event's clock and the store's differ by more than 10 minutes. */
  | { readonly type: 'ticket-refused'; readonly version: number }
  /** The upstream does not accept this ticket any more. */
  | { readonly type: 'ticket-rejected'; readonly version: number }
  /** The upstream was asked to push a ticket. */
  | { readonly type: 'ticket-requested' }
  /** An event was answered with an error status; `reason` is for the operator. */
  | { readonly type: 'event-refused'; readonly status: number; readonly reason: string }

/** What something took that has come to its end; told by the process in which it did. */
export type EndNotice =
  /**
   * A fetch: `durationMs` is how long it took. `failed`: it may have had an effect; `unspent`: it had none; `blocked`: something it needs was not
   * there. `serving`: there was a valid token for callers all the same, as when one is renewed in time.
   */
  | {
      readonly type: 'fetch-ended'
      readonly outcome: 'fetched' | FetchFailure
      readonly durationMs: number
      readonly serving: boolean
      readonly failure?: TokenError
    }
  /** The publication of a fetched token: it is everyone's. */
  | { readonly type: 'published'; readonly version: number }
  /** The wait of callers that could not be served at once, answered together: how long each waited. With `code`, it is an error they got. */
  | { readonly type: 'waited'; readonly waitedMs: readonly number[]; readonly code?: TokenErrorCode }

/** What is wrong with a record; told by whoever meets it. */
export interface RecordNotice {
  /** The value cannot be opened with the keys of this process; `failure` says why. Told once for each version of a record. */
  readonly type: 'record-unreadable'
  readonly version: number
  readonly failure: TokenError
}

/**
 * Something an operator may want to know. `key` is the record's key without the namespace, `time` the node's wall clock in epoch
 * milliseconds. Fields named `…Ms` are milliseconds, `version` and `fence` are versions. Nothing in an event is a credential.
 *
 * | type | meaning |
 * |---|---|
 * | `granted` | this process got the lease; `takeover`: the previous holder vanished |
 * | `held` | another process holds the lease |
 * | `fetch-ended` | a fetch by this process has ended, either way; see {@link EndNotice} |
 * | `renewed` | this process fetched a token |
 * | `published` | the store has the token that this process fetched |
 * | `adopted` | this process took over a token that another fetched |
 * | `superseded` | a publication came too late: a newer token was there |
 * | `rejected` | a token was rejected and is not served any more |
 * | `vouched` | the upstream gave out the rejected value again; its rejection changes nothing for a minute |
 * | `backoff` | a fetch failed; `shared`: another process's did |
 * | `blocked` | the fetch waits for something it needs |
 * | `detached` | the store did not answer |
 * | `outcome-unknown` | a request that uses up a secret got no answer; the next holder waits and looks again before it uses the same |
 * | `waited` | callers that had to wait have been answered |
 * | `doubted` | the node's clocks disagree by more than 5 s; the store is asked |
 * | `record-unreadable` | a stored value cannot be opened with this process's keys; what can be fetched anew is |
 * | `ticket-…`, `event-refused` | see {@link TicketNotice} |
 */
export type TokenEvent = { readonly key: string; readonly time: number } & (Notice | EndNotice | TicketNotice | RecordNotice)

/** One try of a store operation, which has ended. There are many more of these than events. */
export interface StoreCall {
  readonly operation: 'read' | 'claim' | 'publish' | 'settle' | 'invalidate'
  /** The record's key without the namespace; the first one's where several are read at once. */
  readonly key: string
  readonly durationMs: number
  /** `timed-out`: there was no answer within the manager's `storeTimeoutMs`. */
  readonly outcome: 'answered' | 'failed' | 'timed-out'
}

/** Who wants to know what goes on in a manager. What its functions throw is ignored. */
export interface Listener {
  /** Called with every event, synchronously. */
  readonly onEvent?: (event: TokenEvent) => void
  /** Called with every store operation that has ended, synchronously. */
  readonly onStoreCall?: (call: StoreCall) => void
}

/** @throws TypeError */
export function checkListener(listener: Listener): void {
  checkObject(listener, 'listen', ['onEvent', 'onStoreCall'])
  if (listener.onEvent !== undefined) checkFunction(listener.onEvent, 'onEvent')
  if (listener.onStoreCall !== undefined) checkFunction(listener.onStoreCall, 'onStoreCall')
}

/** Every event of every manager in the process is published here, whether or not anybody listens to that manager. */
const channel = diagnosticsChannel.channel('tokenwell')

export type Tell = (key: string, notice: Notice | EndNotice | TicketNotice | RecordNotice) => void

/** Those who listen to one manager. */
export class Listeners {
  readonly #wall: () => number
  readonly #all = new Set<Listener>()

  constructor(wall: () => number) {
    this.#wall = wall
  }

  /** @returns what ends it */
  add({ onEvent, onStoreCall }: Listener): () => void {
    // One of its own for each call: who listens twice stops twice.
    const listener: Listener = { ...(onEvent && { onEvent }), ...(onStoreCall && { onStoreCall }) }
    this.#all.add(listener)
    return () => {
      this.#all.delete(listener)
    }
  }

  tell: Tell = (key, notice) => {
    if (this.#all.size === 0 && !channel.hasSubscribers) return
    const event: TokenEvent = { key, time: this.#wall(), ...notice }
    if (channel.hasSubscribers) channel.publish(event)
    for (const { onEvent } of this.#all) undisturbed(onEvent, event)
  }

  called(call: StoreCall): void {
    for (const { onStoreCall } of this.#all) undisturbed(onStoreCall, call)
  }
}

/** An observer that throws does not disturb what it observes. */
export function undisturbed<T>(observer: ((seen: T) => void) | undefined, seen: T): void {
  try {
    // Declared to return nothing, which an async function satisfies.
    const outcome: unknown = observer?.(seen)
    if (outcome instanceof Promise) outcome.catch(() => {})
  } catch {}
}

/**
 * One step of the machine of one key: what happened, and what was going on before and after it. Steps that change nothing are not told.
 * Published on the diagnostics channel `tokenwell:step`, and only while somebody listens there; for tools that ask which ways through the
 * machine were taken. What is in it may change with any version.
 */
export interface MachineStep {
  readonly key: string
  readonly happening: string
  readonly from: string
  readonly to: string
}

export const steps = diagnosticsChannel.channel('tokenwell:step')
