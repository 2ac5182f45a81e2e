import type { KeyStatus } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { errorOf, record } from '../../../../tools/leak-search/index.ts'
import { createWorld, HOUR, MINT, MINUTE, type Node, pass, quiet, recordOf } from '../support/world.ts'

/** The status of the only credential a node has, recorded for the leak search. */
function statusOf({ tokens }: Node): KeyStatus {
  const list = tokens.status()
  record('status', list)
  const [status] = list
  if (status === undefined || list.length !== 1) throw new Error(`expected one key, got ${list.length}`)
  return status
}

test('a node that was never asked has no keys to show', async () => {
  const world = await createWorld()
  expect(world.node().tokens.status()).toEqual([])
})

test('a served token shows its version and how long it lives, and nothing of its value', async () => {
  const world = await createWorld()
  const node = world.node()
  const { value, version } = await node.tokens.app.get()
  await quiet()
  const status = statusOf(node)
  expect(status).toEqual({
    key: node.tokens.app.key,
    state: 'idle',
    version,
    expiresInMs: 2 * HOUR,
    renewInMs: expect.any(Number),
    waiting: 0,
    holder: false,
    unpublished: false,
  })
  expect(status.renewInMs).toBeGreaterThanOrEqual(91 * MINUTE)
  expect(status.renewInMs).toBeLessThanOrEqual(101 * MINUTE)
  expect(JSON.stringify(node.tokens.status())).not.toContain(value)
  await pass(world.clock, HOUR)
  expect(statusOf(node)).toMatchObject({ expiresInMs: HOUR, renewInMs: status.renewInMs - HOUR })
  world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
  await pass(world.clock, HOUR)
  expect(statusOf(node)).toMatchObject({ version: 0, expiresInMs: 0, renewInMs: 0 })
})

test('the node that fetches is the holder, and the other one follows', async () => {
  const world = await createWorld()
  const [first, second] = [world.node(), world.node()]
  const hanging = world.simulator.fault(MINT, { kind: 'hang' })
  const held = world.simulator.next('held')
  const values = [first.tokens.appAccessToken(), first.tokens.appAccessToken()]
  await held
  values.push(second.tokens.appAccessToken())
  await quiet()
  expect(statusOf(first)).toMatchObject({ state: 'fetching', holder: true, waiting: 2, version: 0 })
  expect(statusOf(second)).toMatchObject({ state: 'following', holder: false, waiting: 1, version: 0 })
  hanging.release()
  expect(new Set(await Promise.all(values)).size).toBe(1)
  await quiet()
  const { version } = await recordOf(world, first, 'app-access-token')
  for (const node of [first, second]) expect(statusOf(node)).toMatchObject({ state: 'idle', holder: false, waiting: 0, version })
})

test('a failure shows with what the upstream said, until a success', async () => {
  const world = await createWorld()
  const [node, other] = [world.node(), world.node()]
  world.simulator.fault(MINT, { kind: 'rate-limit', resetSeconds: 5 })
  const value = node.tokens.appAccessToken()
  const same = other.tokens.appAccessToken()
  await quiet()
  const waits = [node, other].map((each) => {
    const { retryInMs, ...status } = statusOf(each)
    expect(status).toMatchObject({
      state: 'cooling',
      waiting: 1,
      holder: false,
      lastError: { code: 'RATE_LIMITED', upstream: { code: 99991400, logId: world.simulator.requests[0]?.logId } },
    })
    return retryInMs ?? 0
  })
  const [soonest = 0, latest = 0] = waits.sort((a, b) => a - b)
  expect(soonest).toBeGreaterThanOrEqual(5_000)
  expect(soonest).toBeLessThanOrEqual(5_500)
  // Whoever reads of another's failure comes back up to 100 ms after it.
  expect(latest).toBeLessThanOrEqual(5_600)
  await pass(world.clock, 6_000)
  expect(await value).toBe(await same)
  for (const each of [node, other]) {
    expect(statusOf(each)).not.toHaveProperty('lastError')
    expect(statusOf(each)).not.toHaveProperty('retryInMs')
  }
})

test('a failed renewal shows beside the token that is still served', async () => {
  const world = await createWorld()
  const node = world.node()
  const token = await node.tokens.app.get()
  world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
  await pass(world.clock, 50 * MINUTE)
  expect(node.tokens.app.peek()).toBe(token)
  await pass(world.clock, 52 * MINUTE)
  expect(await node.tokens.appAccessToken()).toBe(token.value)
  await quiet()
  expect(statusOf(node)).toMatchObject({
    state: 'cooling',
    version: token.version,
    expiresInMs: 18 * MINUTE,
    renewInMs: 0,
    lastError: { code: 'UPSTREAM_UNAVAILABLE', upstream: { httpStatus: 500 } },
  })
})

test('a wait for a ticket shows as blocked, with what to check', async () => {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: HOUR } })
  const node = world.node()
  const error = errorOf(node.tokens.appAccessToken())
  await pass(world.clock, 1_000)
  expect(statusOf(node)).toMatchObject({ state: 'blocked', waiting: 1, holder: false, lastError: { code: 'TICKET_UNAVAILABLE' } })
  expect(statusOf(node).lastError?.message).toContain('developer console')
  await pass(world.clock, 14_000)
  await error
})

test('a configuration that is refused shows as such, and for how long it will not be tried again', async () => {
  const world = await createWorld()
  const node = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
  await errorOf(node.tokens.appAccessToken())
  const { retryInMs, ...status } = statusOf(node)
  expect(status).toMatchObject({ state: 'cooling', lastError: { code: 'CONFIGURATION_REJECTED', upstream: { code: 10014 } } })
  expect(retryInMs).toBeGreaterThan(4 * MINUTE)
})

test('a rejected token is not shown as served', async () => {
  const world = await createWorld({ behaviour: { resendDelayMs: HOUR } })
  const node = world.node()
  const token = await node.tokens.app.get()
  const hanging = world.simulator.fault(MINT, { kind: 'hang' })
  world.simulator.revoke(world.appId, { next: 'new' })
  const held = world.simulator.next('held')
  await node.tokens.app.reject(token)
  await held
  expect(statusOf(node)).toMatchObject({ state: 'fetching', version: 0, expiresInMs: 0, holder: true })
  hanging.release()
  expect((await node.tokens.app.get()).version).toBeGreaterThan(token.version)
})

test('a closed app has nothing to show', async () => {
  const world = await createWorld()
  const node = world.node()
  await node.tokens.appAccessToken()
  await node.manager.close()
  expect(node.tokens.status()).toEqual([])
})
