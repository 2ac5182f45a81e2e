import diagnosticsChannel from 'node:diagnostics_channel'
import type { TokenError } from './errors.ts'
import type { Notice } from './machine/happenings.ts'

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
 * | `renewed` | this process fetched a token |
 * | `adopted` | this process took over a token that another fetched |
 * | `superseded` | a publication came too late: a newer token was there |
 * | `rejected` | a token was rejected and is not served any more |
 * | `vouched` | the upstream gave out the rejected value again; its rejection changes nothing for a minute |
 * | `backoff` | a fetch failed; `shared`: another process's did |
 * | `blocked` | the fetch waits for something it needs |
 * | `detached` | the store did not answer |
 * | `outcome-unknown` | a request that uses up a secret got no answer; the next holder waits and looks again before it uses the same |
 * | `doubted` | the node's clocks disagree by more than 5 s; the store is asked |
 * | `record-unreadable` | a stored value cannot be opened with this process's keys; what can be fetched anew is |
 * | `ticket-…`, `event-refused` | see {@link TicketNotice} |
 */
export type TokenEvent = { readonly key: string; readonly time: number } & (Notice | TicketNotice | RecordNotice)

/** Every event of every manager in the process is published here, whether or not it has an `onEvent`. */
const channel = diagnosticsChannel.channel('tokenwell')

export type Tell = (key: string, notice: Notice | TicketNotice | RecordNotice) => void

/** Where events go. An observer that throws does not disturb what it observes. */
export function createTell(onEvent: ((event: TokenEvent) => void) | undefined, wall: () => number): Tell {
  return (key, notice) => {
    if (onEvent === undefined && !channel.hasSubscribers) return
    const event: TokenEvent = { key, time: wall(), ...notice }
    if (channel.hasSubscribers) channel.publish(event)
    try {
      // Declared to return nothing, which an async function satisfies.
      const outcome: unknown = onEvent?.(event)
      if (outcome instanceof Promise) outcome.catch(() => {})
    } catch {}
  }
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
