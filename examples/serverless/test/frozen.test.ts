import { describe, expect, onTestFinished, test } from 'vitest'
import type { Clocks, Instance } from './function.ts'
import { Stage } from './stage.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

async function set(tokenLifeMs = 2 * HOUR_MS): Promise<Stage> {
  const stage = await Stage.set(tokenLifeMs)
  onTestFinished(() => stage.strike())
  return stage
}

/** The API, which judges the token, took it at once. */
const good = { status: 200, body: expect.objectContaining({ code: 0 }) }

const endpointsSince = (stage: Stage, count: number) => stage.requestsSince(count).map(({ endpoint, code }) => `${endpoint} ${code}`)

const clocks: [Clocks, string][] = [
  ['wall', 'the wall clock moved on, and the monotonic one stood still'],
  ['both', 'both clocks moved on'],
]

describe.each(clocks)('frozen between two calls (%s): %s', (moved) => {
  test('past the end of its token, the next call has a new one, and the old one is never sent', async () => {
    const stage = await set()
    const instance = await stage.first(moved)
    expect(await instance.call('acme')).toEqual(good)

    await stage.frozenFor(3 * HOUR_MS, instance)
    const before = stage.platform.requests.length
    expect(await instance.call('acme')).toEqual(good)
    expect(endpointsSince(stage, before)).toEqual(['app_access_token 0', 'tenant_access_token 0', 'api 0'])
  })

  test('for five minutes of its life, the next call asks for no token', async () => {
    const stage = await set()
    const instance = await stage.first(moved)
    await instance.call('acme')

    await stage.frozenFor(5 * MINUTE_MS, instance)
    const [before, operations] = [stage.platform.requests.length, await stage.operations()]
    expect(await instance.call('acme')).toEqual(good)
    expect(endpointsSince(stage, before)).toEqual(['api 0'])
    // Clocks that disagree: the store knows how much time has passed.
    expect((await stage.operations()) - operations).toBe(moved === 'wall' ? 1 : 0)
  })

  test('until its token was due, the next call has the old one at once, and the renewal ends before it is frozen again', async () => {
    const stage = await set()
    const instance = await stage.first(moved)
    await instance.call('acme')
    const old = await stage.recordOf('acme')

    await stage.frozenFor(105 * MINUTE_MS, instance)
    const before = stage.platform.requests.length
    expect(await instance.call('acme')).toEqual(good)
    await instance.over()
    expect(endpointsSince(stage, before).filter((each) => each.startsWith('tenant'))).toEqual(['tenant_access_token 0'])
    const [api] = stage.requestsSince(before).filter(({ endpoint }) => endpoint === 'api')
    expect(api?.authorization).toBe(`Bearer ${old.value}`)
    const { version, lease } = await stage.recordOf('acme')
    expect(version).toBeGreaterThan(old.version)
    expect(lease).toBeUndefined()
  })

  test('in the middle of a fetch, past its lease: another instance takes over, and the thawed one does not put its token above the newer one', async () => {
    const stage = await set(20 * MINUTE_MS)
    const instance = await stage.first(moved)
    const { called, held } = await callHeld(stage, instance)
    instance.freeze()
    await stage.pass(10_000, instance)

    await overtake(stage, instance, { called, held }, await stage.another(moved, instance.aheadMs))
  })

  test('in the middle of a fetch, past the end of what it fetched: nobody is given that', async () => {
    const stage = await set(20 * MINUTE_MS)
    const instance = await stage.first(moved)
    const { called, held } = await callHeld(stage, instance)
    instance.freeze()
    await stage.pass(HOUR_MS, instance)

    const another = await stage.another(moved, instance.aheadMs)
    expect(await another.call('acme')).toEqual(good)
    await another.over()
    const newer = await stage.recordOf('acme')

    held.release()
    instance.thaw()
    // By a clock that moved on, the caller's patience of 15 s is over.
    expect((await called).status).toBe(moved === 'wall' ? 200 : 503)
    expect(await instance.call('acme')).toEqual(good)
    const sent = stage.requestsSince(0).filter(({ endpoint }) => endpoint === 'api')
    expect(new Set(sent.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${newer.value}`]))
    expect(await stage.recordOf('acme')).toMatchObject({ version: newer.version, value: newer.value })
  })

  test('with its connections to Redis gone meanwhile, the next call is served', async () => {
    const stage = await set()
    const instance = await stage.first(moved)
    await instance.call('acme')
    await instance.over()
    instance.freeze()
    await stage.pass(3 * HOUR_MS, instance)
    expect(await stage.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')).toBeGreaterThan(0)
    instance.thaw()
    expect(await instance.call('acme')).toEqual(good)
    // Through the store, not past it.
    expect((await stage.recordOf('acme')).expiresInMs).toBeGreaterThan(HOUR_MS)
  })

  test('while a refusal was waited out, the next call is served once that time has passed', async () => {
    const stage = await set()
    const instance = await stage.first(moved)
    stage.disable('acme')
    expect(await instance.call('acme')).toMatchObject({ status: 503, body: { error: 'UPSTREAM_REFUSED' } })
    stage.enable('acme')

    await stage.frozenFor(HOUR_MS, instance)
    expect(await instance.call('acme')).toEqual(good)
  })
})

test('stopped in the middle of a fetch for longer than its lease, in real time: the other one is served when the lease is over, and so is the caller of the stopped one', async () => {
  const stage = await set(20 * MINUTE_MS)
  const instance = await stage.first('both')
  const { called, held } = await callHeld(stage, instance)
  instance.freeze()

  await overtake(stage, instance, { called, held }, await stage.another('both'))
})

/** Another instance fetches while the first is frozen with its call; thawed, the first is served and puts nothing over the newer token. */
async function overtake(stage: Stage, instance: Instance, { called, held }: Awaited<ReturnType<typeof callHeld>>, another: Instance) {
  expect(await another.call('acme')).toEqual(good)
  await another.over()
  const newer = await stage.recordOf('acme')

  held.release()
  instance.thaw()
  expect(await called).toEqual(good)
  await instance.over()
  expect(await stage.recordOf('acme')).toMatchObject({ version: newer.version, value: newer.value })
}

/** A call whose token the platform has made, and whose reply it holds back. */
async function callHeld(stage: Stage, instance: Instance) {
  const held = stage.platform.fault('tenant_access_token', { kind: 'hang', at: 'reply' })
  const hangs = stage.platform.next('held', ({ endpoint }) => endpoint === 'tenant_access_token')
  const called = instance.call('acme')
  await hangs
  return { called, held }
}
