import type { Drift } from './life-log.ts'

/** What the world knows that a process does not. Moments are true time, milliseconds; keys are the store's. */
export interface Circumstances {
  readonly now: () => number
  /** What became of the end of a version that the store has taken, as its clock was set; undefined for one that it has not. */
  readonly drift: (key: string, version: number) => Drift | undefined
  /** When any process last slept. */
  readonly sleptAt: () => number
  /** Nothing has gone wrong yet, or for so long that it should be over. */
  readonly isWell: () => boolean
  /** Nothing but the store, and the way to it, has gone wrong yet, or for as long. */
  readonly isWellBesidesStore: () => boolean
  /** With nothing wrong, a caller is served so soon after somebody has published what it waits for, milliseconds. */
  readonly heardMs: number
  /** The same for who asks for a life. */
  readonly heardOfLifeMs: number
  /** The store was told that this value is rejected. */
  readonly isRejected: (key: string, value: string) => boolean
  /** The upstream has vouched for what is stored: its rejection changes nothing for now. */
  readonly isQuiet: (key: string) => boolean
  /** The store has lost what it knew of a key since it granted what this version came of: a rejection in between could not heed it. */
  readonly isForgotten: (key: string, version: number) => boolean
  /** When a token came that was there for everybody, no earlier than `since`. */
  readonly publishedSince: (key: string, since: number) => number | undefined
}
