import type { Mutation } from '../../mutation.ts'
import { MACHINE, machine } from './machine.ts'

/** Until when a caller waits. */
export const callers: readonly Mutation[] = [
  {
    name: 'callers-not-timed-out',
    file: 'packages/core/src/waiters.ts',
    find: 'else this.#timer.at(next)',
    replace: '',
    breaks: 'A caller is not answered when its time is over.',
    unit: ['packages/core/test/feishu/floor.test.ts', 'packages/core/test/feishu/generic-fetch.test.ts'],
    simulation: true,
  },
  {
    name: 'caller-lingers',
    file: `${MACHINE}/verdict.ts`,
    find: 'Math.min(need.since + LINGER_MS, need.until)',
    replace: 'need.until',
    breaks: 'A caller waits for the next token with a good one at hand.',
    unit: ['packages/core/test/feishu/floor.test.ts', ...machine],
    simulation: true,
  },
]
