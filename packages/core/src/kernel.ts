import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import type { Tell } from './events.ts'
import type { Hints } from './hints.ts'
import type { Policy } from './machine/policy.ts'
import type { Random } from './random.ts'
import type { StoreCalls } from './store-calls.ts'
import type { TokenHandle } from './token-handle.ts'

/** What the parts of one manager share. */
export interface Kernel {
  readonly clock: Clock
  readonly random: Random
  readonly calls: StoreCalls
  readonly hints: Hints
  readonly tell: Tell
  /** A handle for a credential of this package. */
  token(credential: Credential, policy: Policy): TokenHandle
  /** Runs `end` when the manager has closed. */
  onClose(end: () => Promise<void>): void
}

/** Registered, so that another copy of this package in the process finds it too. */
const KERNEL = Symbol.for('@tokenwell/core/kernel/1')

export function attachKernel(manager: object, kernel: Kernel): void {
  Object.defineProperty(manager, KERNEL, { value: kernel })
}

/** The inside of a manager; undefined for anything else. */
export function kernelOf(manager: unknown): Kernel | undefined {
  if (typeof manager !== 'object' || manager === null) return undefined
  return (manager as { [KERNEL]?: Kernel })[KERNEL]
}
