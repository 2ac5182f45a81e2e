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
