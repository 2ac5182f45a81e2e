import { fakeFeishuTokens } from '@tokenwell/testkit/feishu'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.useRealTimers()
})

/** All that Jest fakes by default. It has a `process` of its own for each test file, so that streams keep the true `nextTick`. */
const FAKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'Date',
  'performance',
  'queueMicrotask',
  'hrtime',
] as const

test.each([
  ['by default', undefined],
  ['as Jest does it', { toFake: [...FAKED] }],
])('under fake timers, %s, the tokens live, renew, fail and close by their own clock, and set no timer of Node', async (_, config) => {
  vi.useFakeTimers(config)
  const tokens = fakeFeishuTokens()
  expect([await tokens.appAccessToken(), await tokens.tenantAccessToken('acme')]).toEqual(['a-1', 't-acme-1'])
  await tokens.clock.advance(1.7 * 3_600_000)
  expect(await tokens.tenantAccessToken('acme')).toBe('t-acme-2')

  const held = tokens.platform.hold('tenant_access_token')
  const waiting = tokens.tenant('globex').get()
  await tokens.clock.advance(0)
  expect(held.waiting).toBe(1)
  held.release()
  expect(await waiting).toMatchObject({ value: 't-globex-1' })

  tokens.platform.always('tenant_access_token', 'timeout')
  const failed = expect(tokens.tenantAccessToken('initech')).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  await tokens.clock.advance(15_000)
  await failed

  tokens.platform.invalidateTickets()
  tokens.platform.revoke((await tokens.app.get()).value)
  await tokens.app.reject(await tokens.app.get())
  const waits = tokens.app.get()
  await tokens.clock.advance(0)
  await tokens.receiveEvent(tokens.platform.buildEvent())
  expect(await waits).toMatchObject({ value: 'a-3' })

  await tokens.close()
  // undici has queued the errors of requests that nobody waits for.
  vi.runAllTicks()
  expect([tokens.clock.pending, vi.getTimerCount()]).toEqual([0, 0])
})
