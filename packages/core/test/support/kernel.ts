import type { Clock } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { Alarms } from '../../src/alarms.ts'
import { Hints } from '../../src/hints.ts'
import type { Kernel } from '../../src/kernel.ts'
import { StoreCalls } from '../../src/store-calls.ts'

/** What a runner needs of its manager, on a store of its own that pushes nothing, with nothing left to chance. */
export function kernelOn(clock: Clock): Kernel {
  const calls = new StoreCalls(memoryStore({ clock }), 'test', 1_000, clock, { called: () => {}, track: (work) => work })
  return {
    clock,
    apart: clock.wall() - clock.monotonic(),
    calls,
    hints: new Hints(calls, clock, false),
    alarms: new Alarms(clock),
    random: { fraction: () => 0, id: () => 'process' },
    id: 'process',
    tell: () => {},
  }
}
