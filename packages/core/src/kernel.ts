import type { Alarms } from './alarms.ts'
import type { Clock } from './clock.ts'
import type { Tell } from './events.ts'
import type { Hints } from './hints.ts'
import type { Random } from './random.ts'
import type { StoreCalls } from './store-calls.ts'

/** What the runners of one manager share. */
export interface Kernel {
  readonly clock: Clock
  /** By how much the wall clock was ahead of the monotonic one at first, milliseconds. */
  readonly apart: number
  readonly random: Random
  readonly calls: StoreCalls
  readonly hints: Hints
  readonly alarms: Alarms
  /** Begins the names of attempts: no other manager anywhere has it. */
  readonly id: string
  readonly tell: Tell
}
