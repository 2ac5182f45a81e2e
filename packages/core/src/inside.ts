import type { Credential } from './credential.ts'
import type { Kernel } from './kernel.ts'
import type { Snapshot, Version } from './store.ts'
import type { TokenHandle } from './token-handle.ts'

/** The inside of a manager, for the credentials of this package. */
export interface Inside extends Kernel {
  token(credential: Credential): TokenHandle
  /** Brings what this process knows of what `token` made up to date with the store, many at a time. What cannot be read is left as it is. */
  adopt(handles: readonly TokenHandle[]): Promise<void>
  /** Whatever else asked the store about a credential: this process goes by the answer. `sentAt`: when it was asked, by the monotonic clock. */
  learn(credential: Credential, snapshot: Snapshot, sentAt: number): void
  /** The highest version that callers here may have been given. */
  seen(credential: Credential): Version
  /** Keys kept in memory. */
  readonly maxEntries: number
  /** Whether the manager takes no more work. */
  readonly closed: boolean
  /** Until when what must not be lost is tried again, by the monotonic clock; Infinity while the manager is open. */
  readonly graceEndsAt: number
  /** Work that the manager must not close before. Returns it. */
  track<T>(work: Promise<T>): Promise<T>
  /** Runs `end` when the manager has closed. */
  onClose(end: () => Promise<void>): void
}

/** Registered, so that another copy of this package in the process finds it too. */
const INSIDE = {
  manager: Symbol.for('@tokenwell/core/inside/1'),
  tokens: Symbol.for('@tokenwell/core/tokens/inside/1'),
}

/** What has the inside of a manager: the manager, or the tokens of an app that are made with it. */
type Owner = keyof typeof INSIDE

export function attachInside(owner: Owner, to: object, inside: Inside): void {
  Object.defineProperty(to, INSIDE[owner], { value: inside })
}

/** The inside of what is an owner of that kind; undefined for anything else. */
export function insideOf(owner: Owner, value: unknown): Inside | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as { [symbol: symbol]: Inside | undefined })[INSIDE[owner]]
}
