import type { Clock } from './clock.ts'
import type { Tell } from './events.ts'
import type { Hints } from './hints.ts'
import type { Random } from './random.ts'
import type { StoreCalls } from './store-calls.ts'

/** What the runners of one manager share. */
export interface Kernel {
  readonly clock: Clock
  readonly random: Random
  readonly calls: StoreCalls
  readonly hints: Hints
  readonly tell: Tell
}
