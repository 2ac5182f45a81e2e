import type { Version } from './store.ts'

/** A token that may be used now. */
export interface Token {
  /** The credential itself: keep it out of logs. */
  readonly value: string
  /** Identifies this token among those of its key; newer ones are higher. */
  readonly version: Version
  /** When it ends, epoch milliseconds by this node's wall clock: for people, not for decisions. */
  readonly expiresAt: number
}
