import { defaultPolicy, type Policy } from '../machine/policy.ts'

/**
 * With 30 minutes or more left the upstream answers with the same token. The minute of difference covers the way there and back:
 * asked at 30 minutes by a careful clock, it would still count a little more.
 *
 * The jitter leaves 19 minutes to the token that is renewed last, for a platform that cannot be reached: docs/decisions/0016 weighs that
 * against a more even load.
 */
export const feishuPolicy: Policy = { ...defaultPolicy, renewWindowMs: 29 * 60_000, renewJitterMs: 10 * 60_000 }
