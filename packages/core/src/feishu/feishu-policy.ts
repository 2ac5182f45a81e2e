import { defaultPolicy, type Policy } from '../machine/policy.ts'

/**
 * With 30 minutes or more left the upstream answers with the same token. The minute of difference covers the way there and back:
 * asked at 30 minutes by a careful clock, it would still count a little more.
 */
export const feishuPolicy: Policy = { ...defaultPolicy, renewWindowMs: 29 * 60_000, renewJitterMs: 10 * 60_000 }
