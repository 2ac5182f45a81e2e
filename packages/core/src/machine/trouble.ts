import type { TokenError } from '../errors.ts'
import type { Version } from '../store.ts'
import type { State } from './state.ts'

/** What is remembered of what went wrong, until it is over. */
export interface Trouble {
  /**
   * The attempt of a claim that the store has not answered. It may still be carried out, late, and then the lease is held by nobody: the
   * next claim is the same one again, to which that lease is its own.
   */
  readonly unanswered: number | undefined
  /** Failed fetches in a row: as the store has counted them or, where it was not told, this process. */
  readonly failures: number
  /** The highest version that the store was found to have since the first of them; undefined before it was asked. */
  readonly failedOver: Version | undefined
  /** How often in a row what a fetch needs was waited for in vain, without an answer to a claim in between. */
  readonly waits: number
  /** Store operations in a row that failed, for the spacing of probes. */
  readonly storeFailures: number
  /** What callers reported last while the store was down. Under whatever version it comes from there, it may be as dead. */
  readonly reported: string | undefined
  /** What the store was told is rejected, and has not answered yet. */
  readonly rejecting: { readonly version: Version; readonly value: string } | undefined
  /** The last failure, for callers whose bound passes. Cleared by a success. */
  readonly failure: TokenError | undefined
}

/** All is well. */
export const NO_TROUBLE: Trouble = {
  unanswered: undefined,
  failures: 0,
  failedOver: undefined,
  waits: 0,
  storeFailures: 0,
  reported: undefined,
  rejecting: undefined,
  failure: undefined,
}

/** Somebody has succeeded. */
export const NO_FAILURES: Pick<Trouble, 'failures' | 'failedOver' | 'failure'> = { failures: 0, failedOver: undefined, failure: undefined }

const FIELDS = Object.keys(NO_TROUBLE) as (keyof Trouble)[]

/** The state with what has changed of its trouble. */
export function withTrouble(state: State, changed: Partial<Trouble>): State {
  const trouble: Trouble = { ...state.trouble, ...changed }
  if (isSame(trouble, state.trouble)) return state
  return { ...state, trouble: isSame(trouble, NO_TROUBLE) ? NO_TROUBLE : trouble }
}

function isSame(one: Trouble, other: Trouble): boolean {
  return FIELDS.every((field) => one[field] === other[field])
}
