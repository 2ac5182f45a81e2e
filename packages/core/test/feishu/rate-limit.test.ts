import { flaky } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { createWorld, pass, quiet, settlesInOneTurn, type World } from '../support/world.ts'

const TENANT = 'tenant_access_token'

async function limited(resetSeconds = 30) {
  const world = await createWorld()
  const [one, other] = [world.node(), world.node()]
  await one.tokens.tenantAccessToken('known')
  await other.tokens.tenantAccessToken('known')
  world.simulator.fault(TENANT, { kind: 'rate-limit', resetSeconds })
  const error = await errorOf(one.tokens.tenant('first').get({ timeoutMs: 100 }))
  await quiet()
  return { world, one, other, error }
}

const requests = ({ simulator }: World) => simulator.counters().requests[TENANT]

test('a limit that one process met holds for every tenant and every process, and costs no request', async () => {
  const { world, one, other, error } = await limited()
  expect(error).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 30_000, upstream: { code: 99991400 } })
  const before = requests(world)
  const newcomer = world.node()
  for (const { tokens } of [one, other, newcomer]) {
    for (const tenantKey of ['second', 'third']) {
      const told = await errorOf(tokens.tenantAccessToken(tenantKey))
      expect(told).toMatchObject({ code: 'RATE_LIMITED', retryable: true, upstream: { code: 99991400 } })
    }
  }
  await quiet()
  expect(requests(world)).toBe(before)
})

test('it holds where the store cannot push, too, for processes that were there before', async () => {
  const world = await createWorld()
  const { subscribe: _, ...mute } = world.store
  const store = { ...mute, capabilities: { ...world.store.capabilities, push: false } }
  const nodes = Array.from({ length: 4 }, () => world.node({ store }))
  for (const { tokens } of nodes) await tokens.tenantAccessToken('known')
  world.simulator.fault(TENANT, { kind: 'rate-limit', resetSeconds: 30 }, { times: 4 })
  const before = requests(world)
  for (const [index, { tokens }] of nodes.entries()) {
    expect(await errorOf(tokens.tenant(`tenant-${index}`).get({ timeoutMs: 100 }))).toMatchObject({ code: 'RATE_LIMITED' })
    await quiet()
  }
  expect(requests(world)).toBe(before + 1)
})

test('valid tokens are served meanwhile, and other kinds of credentials fetched', async () => {
  const { world, other } = await limited()
  expect(await settlesInOneTurn(other.tokens.tenantAccessToken('known'))).toBe(true)
  expect((await other.tokens.jsapiTicket('known').get()).value).toBeDefined()
  expect(world.simulator.counters().requests.jsapi_ticket).toBe(1)
})

test('when it is over, all is as before', async () => {
  const { world, one, other } = await limited()
  await world.clock.advance(35_000)
  await quiet()
  const values = await Promise.all([one.tokens.tenantAccessToken('second'), other.tokens.tenantAccessToken('second')])
  expect(values[0]).toBe(values[1])
  expect(world.simulator.judge(values[0])).toBe('valid')
})

test('one that is over before it could be written down does not keep the next one from being written down', async () => {
  const world = await createWorld()
  const store = flaky(world.store, world.clock)
  const [one, other] = [world.node({ store, manager: { storeTimeoutMs: 5_000 } }), world.node()]
  await one.tokens.tenantAccessToken('known')
  // What is claimed is the token, then the record of the limit.
  store.next('claim', undefined, { kind: 'delay', ms: 1_500 })
  world.simulator.fault(TENANT, { kind: 'rate-limit', resetSeconds: 1 })
  expect(await errorOf(one.tokens.tenant('first').get({ timeoutMs: 100 }))).toMatchObject({ code: 'RATE_LIMITED' })
  await pass(world.clock, 1_600)
  const { key, outcome } = store.calls.filter(({ operation }) => operation === 'claim').at(-1) ?? {}
  expect({ key, outcome }).toEqual({ key: expect.stringContaining('/rate-limit/'), outcome: 'granted' })

  world.simulator.fault(TENANT, { kind: 'rate-limit', resetSeconds: 30 })
  expect(await errorOf(one.tokens.tenant('second').get({ timeoutMs: 100 }))).toMatchObject({ code: 'RATE_LIMITED' })
  await quiet()
  const before = requests(world)
  expect(await errorOf(other.tokens.tenant('third').get({ timeoutMs: 100 }))).toMatchObject({ code: 'RATE_LIMITED' })
  expect(requests(world)).toBe(before)
})

test('who can wait so long does', async () => {
  const { world, other } = await limited(5)
  const waiting = other.tokens.tenant('second').get({ timeoutMs: 60_000 })
  await quiet()
  for (let second = 0; second < 12; second++) {
    await world.clock.advance(1_000)
    await quiet()
  }
  expect(world.simulator.judge((await waiting).value)).toBe('valid')
})

test('with the store down the process that met it keeps to it', async () => {
  const world = await createWorld()
  let isDown = false
  const dead = async (): Promise<never> => Promise.reject(new Error('down'))
  const store = {
    ...world.store,
    read: (...given: Parameters<typeof world.store.read>) => (isDown ? dead() : world.store.read(...given)),
    claim: (...given: Parameters<typeof world.store.claim>) => (isDown ? dead() : world.store.claim(...given)),
  }
  const { tokens } = world.node({ store })
  await tokens.tenantAccessToken('known')
  isDown = true
  world.simulator.fault(TENANT, { kind: 'rate-limit', resetSeconds: 30 })
  const before = requests(world)
  expect(await errorOf(tokens.tenantAccessToken('first'))).toMatchObject({ code: 'RATE_LIMITED' })
  expect(await errorOf(tokens.tenantAccessToken('second'))).toMatchObject({ code: 'RATE_LIMITED' })
  expect(requests(world)).toBe(before + 1)
})
