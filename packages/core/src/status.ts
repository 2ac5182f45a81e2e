import type { TokenError } from './errors.ts'
import { type Activity, usableToken } from './machine/state.ts'
import type { Runner } from './runner.ts'
import type { Version } from './store.ts'

/** What a process knows about one key. Durations in milliseconds; no secret. */
export interface KeyStatus {
  readonly key: string
  /** What is going on; see ARCHITECTURE.md for the states. */
  readonly state: Activity['kind']
  /** Version of the token that is served; 0 when there is none. */
  readonly version: Version
  /** Life left of that token; 0 when there is none. */
  readonly expiresInMs: number
  /** Until it is due for renewal; 0 when it is due or there is none. */
  readonly renewInMs: number
  /** Callers waiting in this process. */
  readonly waiting: number
  /** This process holds the lease. */
  readonly holder: boolean
  /** The store has not got the token yet. */
  readonly unpublished: boolean
  /** Present while a failure is being waited out. */
  readonly retryInMs?: number
  /** The last failure since the last success. */
  readonly lastError?: TokenError
}

export function keyStatus(runner: Runner, now: number): KeyStatus {
  const { state } = runner
  const { activity } = state
  const { failure } = state.trouble
  const token = usableToken(state, now)
  return {
    key: runner.key,
    state: activity.kind,
    version: token?.version ?? 0,
    expiresInMs: token === undefined ? 0 : Math.floor(token.expiresAt - now),
    renewInMs: token === undefined ? 0 : Math.max(0, Math.floor(token.renewAt - now)),
    waiting: runner.waiting,
    holder:
      (activity.kind === 'fetching' && activity.grant !== undefined) || activity.kind === 'rereading' || activity.kind === 'publishing',
    unpublished: token?.published === false,
    ...(activity.kind === 'cooling' ? { retryInMs: Math.max(0, Math.ceil(activity.retryAt - now)) } : {}),
    ...(failure === undefined ? {} : { lastError: failure }),
  }
}
