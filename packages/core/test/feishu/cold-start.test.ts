import { expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { createWorld, eventually, MINT } from '../support/world.ts'

test('10,000 concurrent callers share one token request', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  const values = await Promise.all(Array.from({ length: 10_000 }, () => tokens.appAccessToken()))
  expect(new Set(values).size).toBe(1)
  expect(world.simulator.judge(values[0] ?? '')).toBe('valid')
  expect(world.mints()).toBe(1)
})

test('when the first request fails with a 500, a second one serves all 10,000 callers', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  world.simulator.fault(MINT, { kind: 'status', status: 500 })
  const failed = world.simulator.next('reply')
  const all = Promise.all(Array.from({ length: 10_000 }, () => tokens.appAccessToken()))
  await failed
  await eventually(() => tokens.status().some(({ state }) => state === 'cooling'))
  await world.clock.advance(600)
  expect(new Set(await all).size).toBe(1)
  expect(world.mints()).toBe(2)
})

test('a wrong secret is one request, one clear error for everybody, and none for who comes within the backoff', async () => {
  const world = await createWorld()
  const { tokens } = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
  const errors = await Promise.all(Array.from({ length: 10_000 }, () => errorOf(tokens.appAccessToken())))
  expect(new Set(errors).size).toBe(1)
  expect(errors[0]).toMatchObject({ code: 'CONFIGURATION_REJECTED', retryable: false, upstream: { code: 10014 } })
  await world.clock.advance(60_000)
  expect(await errorOf(tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  expect(world.mints()).toBe(1)
})

test('callers who ask for a text at once, for one tenant or for several, have a promise for each token, and the next token after it', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  const ask = (tenantKey: string) => tokens.tenantAccessToken(tenantKey)
  const [one, twin, other, third] = [ask('one'), ask('one'), ask('other'), ask('one')]
  expect(twin).toBe(one)
  expect(new Set(await Promise.all([one, other, third])).size).toBe(2)
  const token = await tokens.tenant('one').get()
  expect([await one, await third, await ask('one')]).toEqual([token.value, token.value, token.value])
  expect(await ask('other')).toBe(await other)
  world.simulator.revoke(world.appId, { next: 'new', tenantKey: 'one' })
  await tokens.tenant('one').reject(token)
  const next = await ask('one')
  expect(next).not.toBe(token.value)
  expect(world.simulator.judge(next)).toBe('valid')
})
