import type { Credential } from './credential.ts'
import type { Kernel } from './kernel.ts'
import type { Snapshot } from './store.ts'
import type { TokenHandle } from './token-handle.ts'

/** The inside of a manager, for the credentials of this package. */
export interface Inside extends Kernel {
  token(credential: Credential): TokenHandle
  /** Brings what this process knows of what `token` made up to date with the store, many at a time. What cannot be read is left as it is. */
  adopt(handles: readonly TokenHandle[]): Promise<void>
  /** Whatever else asked the store about a credential: this process goes by the answer. `sentAt`: when it was asked, by the monotonic clock. */
  learn(credential: Credential, snapshot: Snapshot, sentAt: number): void
  /** Keys kept in memory. */
  readonly maxEntries: number
  /** Whether the manager takes no more work. */
  readonly closed: boolean
  /** Work that the manager must not close before. Returns it. */
  track<T>(work: Promise<T>): Promise<T>
  /** Runs `end` when the manager has closed. */
  onClose(end: () => Promise<void>): void
}

/** Registered, so that another copy of this package in the process finds it too. */
const INSIDE = Symbol.for('@tokenwell/core/inside/1')

export function attachInside(manager: object, inside: Inside): void {
  Object.defineProperty(manager, INSIDE, { value: inside })
}

/** The inside of a manager; undefined for anything else. */
export function insideOf(manager: unknown): Inside | undefined {
  if (typeof manager !== 'object' || manager === null) return undefined
  return (manager as { [INSIDE]?: Inside })[INSIDE]
}
