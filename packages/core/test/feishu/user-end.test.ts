import { flaky } from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { ANN, authorize, failure, OAUTH, requests, untilDue } from '../support/user-world.ts'
import { createWorld, HOUR, pass, quiet, watched } from '../support/world.ts'

describe('closing', () => {
  test('waits for a refresh that is under way, and for its publication', async () => {
    const world = await createWorld()
    const [one, other] = [world.node(), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
    const answer = failure(one.tokens.user(ANN).get())
    await world.simulator.next('held')
    const closing = watched(one.manager.close())
    expect((await answer).code).toBe('CLOSED')
    await quiet()
    expect(closing.outcome).toBe('pending')
    held.release()
    await closing.promise
    await other.tokens.user(ANN).get()
    expect(requests(world)).toBe(2)
    expect(world.simulator.presentedTwice(world.appId)).toEqual([])
  })

  test('with a grace goes on trying to publish', async () => {
    const world = await createWorld()
    const store = flaky(world.store, world.clock)
    const [one, other] = [world.node({ store }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    store.always('publish', { kind: 'throw' })
    const { value } = await one.tokens.user(ANN).get()
    await quiet()
    const closing = watched(one.manager.close({ graceMs: 30_000 }))
    await pass(world.clock, 5_000)
    expect(closing.outcome).toBe('pending')
    store.restore()
    await pass(world.clock, 20_000)
    await closing.promise
    expect((await other.tokens.user(ANN).get()).value).toBe(value)
  })
})

describe('sealed', () => {
  const keys = { a: Buffer.alloc(32, 1).toString('base64'), b: Buffer.alloc(32, 2).toString('base64') }

  test('a login is left alone by a process that cannot read it, which says so', async () => {
    const world = await createWorld()
    const [one, other] = [
      world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }),
      world.node({ manager: { encryption: { keys: { b: keys.b }, sealWith: 'b' } } }),
    ]
    await authorize(world, one)
    const error = await failure(other.tokens.user(ANN).get())
    expect(error).toMatchObject({ code: 'RECORD_UNREADABLE', retryable: false })
    expect(requests(world)).toBe(1)
    await untilDue(world)
    expect(world.simulator.judge((await one.tokens.user(ANN).get()).value)).toBe('valid')
    await quiet()
    expect(world.simulator.login(world.appId, ANN)?.rotations).toBe(1)
  })

  test('it is not listed as one that has ended by a process that cannot read it', async () => {
    const world = await createWorld()
    const [one, other] = [
      world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }),
      world.node({ manager: { encryption: { keys: { b: keys.b }, sealWith: 'b' } } }),
    ]
    await authorize(world, one)
    expect(await one.tokens.expiringAuthorizations([ANN])).toEqual([])
    expect(await failure(other.tokens.expiringAuthorizations(['nobody', ANN]))).toMatchObject({ code: 'RECORD_UNREADABLE' })
    expect(await other.tokens.expiringAuthorizations(['nobody'])).toHaveLength(1)
  })

  test('nor is it held back by a process that knows nothing of encryption', async () => {
    const world = await createWorld()
    const [one, other] = [world.node({ manager: { encryption: { keys: { a: keys.a }, sealWith: 'a' } } }), world.node()]
    await authorize(world, one)
    await pass(world.clock, 3 * HOUR)
    expect(await failure(other.tokens.user(ANN).get())).toMatchObject({ code: 'RECORD_UNREADABLE', retryable: false })
    expect(requests(world)).toBe(1)
    expect(world.simulator.judge((await one.tokens.user(ANN).get()).value)).toBe('valid')
  })
})
