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
    name: 'asked-life-not-heeded',
    file: `${MACHINE}/verdict.ts`,
    find: 'token !== undefined && token.expiresAt - now >= need.minLifeMs',
    replace: 'token !== undefined',
    breaks: 'A caller who asks for a life is given a token that ends before.',
    unit: ['packages/core/test/feishu/floor.test.ts', ...machine],
    simulation: true,
  },
  {
    name: 'used-once',
    file: 'packages/core/src/token-handle.ts',
    find: 'settle(next.value === token.value ? first : await outcomeOf(call, next))',
    replace: 'settle(next.value === token.value ? first : first)',
    breaks: 'A call that was refused is not tried again with the next token.',
    unit: ['packages/core/test/feishu/use.test.ts'],
    simulation: true,
  },
  {
    name: 'retry-after-ignored',
    file: `${MACHINE}/policy.ts`,
    find: 'const asked = retryAfterMs > 0 ? Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) : 0',
    replace: 'const asked = retryAfterMs > 0 ? 0 : 0',
    breaks: 'An upstream that says when to come back is asked again sooner.',
    unit: machine,
    simulation: true,
  },
  {
    name: 'nothing-without-the-store',
    file: `${MACHINE}/claim.ts`,
    find: 'if (served || !event.waiting || state.closing || rotates(policy)) return',
    replace: 'if (served || event.waiting || !event.waiting || state.closing || rotates(policy)) return',
    breaks: 'A process that has no token and does not reach the store fetches none for itself.',
    unit: machine,
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
  {
    name: 'backoff-without-cap',
    file: `${MACHINE}/policy.ts`,
    find: 'Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.min(failures - 1, 40))',
    replace: 'policy.backoffBaseMs * 2 ** Math.min(failures - 1, 16)',
    breaks: 'After a long outage of the upstream a fleet waits for hours before it tries again.',
    unit: machine,
    simulation: true,
  },
  {
    name: 'promised-life-refused',
    file: `${MACHINE}/verdict.ts`,
    find: "if (token.renewAt < Math.min(now + RENEWAL_SPREAD_MS, need.until)) return { kind: 'wait', again: token.renewAt }",
    replace: '',
    breaks:
      'A caller who asks for a life that is always to be had is told that there is none, where a process renews a little later than planned.',
    unit: machine,
    simulation: true,
  },
]
