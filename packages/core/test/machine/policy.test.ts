import fc from 'fast-check'
import { expect, test } from 'vitest'
import { feishuPolicy } from '../../src/feishu/feishu-policy.ts'
import {
  backoffMs,
  checkPolicy,
  defaultPolicy,
  fetchDeadline,
  leaseMs,
  longestMinLifeMs,
  type Policy,
  renewInMs,
} from '../../src/machine/policy.ts'

const HOUR = 3_600_000
const retryable = { retryable: true }

test('the smallest waits add up so that no minute sees more than nine requests', () => {
  for (const policy of [defaultPolicy, feishuPolicy]) {
    let requests = 1
    for (let elapsed = 0; elapsed <= 60_000 && requests < 100; requests += 1) elapsed += backoffMs(requests, 0, retryable, policy)
    expect(requests - 1).toBeLessThanOrEqual(9)
  }
})

test('waits grow to the cap, and stay there however many failures there were', () => {
  expect(backoffMs(1, 0.999, retryable, defaultPolicy)).toBeLessThanOrEqual(500)
  expect(backoffMs(1_000_000, 0.999, retryable, defaultPolicy)).toBeLessThanOrEqual(60_000)
  expect(backoffMs(1_000_000, 0, retryable, defaultPolicy)).toBe(30_000)
})

test('the wait that the upstream asks for is kept to, and believed up to an hour', () => {
  expect(backoffMs(1, 0, { retryable: true, retryAfterMs: 90_000 }, defaultPolicy)).toBe(90_000)
  expect(backoffMs(1, 0.999, { retryable: true, retryAfterMs: 90_000 }, defaultPolicy)).toBeLessThan(100_000)
  expect(backoffMs(1, 0, { retryable: true, retryAfterMs: 1e12 }, defaultPolicy)).toBe(HOUR)
})

test('a failure that no retry can help waits for minutes', () => {
  expect(backoffMs(1, 0, { retryable: false }, defaultPolicy)).toBe(5 * 60_000)
})

test('for any life and any chance the renewal point is within the life, and never sooner than half of it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 * 24 * HOUR }), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (lifeMs, chance) => {
      const due = renewInMs(lifeMs, chance, feishuPolicy)
      expect(due).toBeGreaterThanOrEqual(lifeMs / 2)
      expect(due).toBeLessThan(lifeMs)
    }),
  )
})

test('keys that were fetched together fall due apart, as far as the policy says', () => {
  const first = renewInMs(2 * HOUR, 0, defaultPolicy)
  expect(first).toBe(2 * HOUR - defaultPolicy.renewWindowMs)
  expect(renewInMs(2 * HOUR, 0.5, defaultPolicy)).toBe(first + defaultPolicy.renewJitterMs / 2)
})

test('of a life shorter than two windows the second half is the window, with a jitter in proportion', () => {
  const { renewWindowMs, renewJitterMs } = feishuPolicy
  for (const lifeMs of [30_000, 600_000, renewWindowMs, 1.5 * renewWindowMs, 2 * renewWindowMs]) {
    expect(renewInMs(lifeMs, 0, feishuPolicy)).toBe(lifeMs / 2)
    expect(renewInMs(lifeMs, 0.5, feishuPolicy)).toBeCloseTo((lifeMs / 2) * (1 + (0.5 * renewJitterMs) / renewWindowMs), 6)
  }
})

test('the longer a token lives the later it is due, across the life at which half of it is the window', () => {
  fc.assert(
    fc.property(fc.integer({ min: 15_000, max: 4 * HOUR }), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (lifeMs, chance) => {
      const [shorter, longer] = [lifeMs, lifeMs + 1_000].map((each) => renewInMs(each, chance, feishuPolicy))
      expect(longer).toBeGreaterThan(shorter as number)
    }),
  )
})

test('a caller of a token that lives for two windows can always be given the longest life that may be asked for', () => {
  for (const policy of [defaultPolicy, feishuPolicy]) {
    for (const lifeMs of [2 * policy.renewWindowMs, 2 * HOUR, 24 * HOUR]) {
      expect(lifeMs - renewInMs(lifeMs, 1, policy)).toBe(longestMinLifeMs(policy))
    }
  }
})

test('a policy without a jitter has none for short lives either', () => {
  const still: Policy = { ...defaultPolicy, renewJitterMs: 0 }
  for (const lifeMs of [60_000, 2 * HOUR]) expect(renewInMs(lifeMs, 0.999, still)).toBe(renewInMs(lifeMs, 0, still))
})

test('Feishu tokens fall due after the point from which the platform gives out a new one', () => {
  expect(2 * HOUR - renewInMs(2 * HOUR, 0, feishuPolicy)).toBeLessThan(30 * 60_000)
})

test('a lease, its margin taken off, outlasts the request, for every request timeout', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 600_000 }), (requestTimeoutMs) => {
      const policy: Policy = { ...defaultPolicy, requestTimeoutMs }
      expect(fetchDeadline(0, leaseMs(policy))).toBeGreaterThanOrEqual(requestTimeoutMs)
    }),
  )
})

test.each([
  ['renewJitterMs', { renewJitterMs: 400_000 }],
  ['floorMs', { floorMs: 500_000 }],
  ['backoffBaseMs', { backoffBaseMs: 120_000 }],
  ['backoffBaseMs', { backoffBaseMs: 0 }],
  ['minimumLifeMs', { minimumLifeMs: 0 }],
  ['renewWindowMs', { renewWindowMs: Number.NaN }],
  ['requestTimeoutMs', { requestTimeoutMs: Number.POSITIVE_INFINITY }],
])('a policy that contradicts itself or would loop is refused by the name of its field: %s', (name, wrong) => {
  expect(() => checkPolicy(wrong, defaultPolicy, 'policy')).toThrow(new RegExp(`^policy\\.${name}: `))
})

test('a field that does not exist, and anything but an object, is refused', () => {
  expect(() => checkPolicy({ renewWindow: 5 } as Partial<Policy>, defaultPolicy, 'policy')).toThrow(/policy\.renewWindow: no such option/)
  expect(() => checkPolicy(5 as unknown as Partial<Policy>, defaultPolicy, 'policy')).toThrow(TypeError)
  expect(checkPolicy({ floorMs: undefined } as unknown as Partial<Policy>, defaultPolicy, 'policy')).toEqual(defaultPolicy)
})

test('no policy that is accepted asks more than nine times in a minute, whatever fails', () => {
  const eager = checkPolicy(
    { backoffBaseMs: 500, backoffCapMs: 30_000, fatalBackoffMs: 10_000, minimumLifeMs: 15_000 },
    defaultPolicy,
    'policy',
  )
  for (const kind of [retryable, { retryable: false }]) {
    let requests = 1
    for (let elapsed = 0; elapsed <= 60_000 && requests < 100; requests += 1) elapsed += backoffMs(requests, 0, kind, eager)
    expect(requests - 1).toBeLessThanOrEqual(9)
  }
  expect(60_000 / renewInMs(eager.minimumLifeMs, 0, eager)).toBeLessThanOrEqual(9)
  for (const [name, value] of [
    ['backoffBaseMs', 499],
    ['backoffCapMs', 29_999],
    ['fatalBackoffMs', 9_999],
    ['minimumLifeMs', 14_999],
  ] as const) {
    expect(() => checkPolicy({ [name]: value }, defaultPolicy, 'policy'), name).toThrow(TypeError)
  }
})
