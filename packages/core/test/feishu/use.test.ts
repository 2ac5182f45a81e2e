import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Token } from '@tokenwell/core'
import * as undici from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { createWorld, type Node, pass, type World, watched, withChance } from '../support/world.ts'

/** Codes by which the platform refuses an app or tenant token. */
const REFUSALS = [99991663, 99991664, 99991671, 99991665, 10013]
/** Codes that are about something else: scopes, a user's token, an app that is switched off, a wrong request. */
const OTHER_CODES = [0, 99991672, 99991676, 99991679, 99991668, 99991677, 99991662, 99991673, 99991400, 10012, 10014, 230001]

async function revoked(): Promise<{ world: World; node: Node }> {
  const world = await createWorld()
  const node = world.node(withChance(0))
  await node.tokens.app.get()
  world.simulator.revoke(world.appId, { next: 'new' })
  return { world, node }
}

/** How HTTP clients show a refusal. */
const shapes: readonly (readonly [string, (code: number) => () => Promise<unknown>])[] = [
  ['a resolved body', (code) => async () => ({ code, msg: 'Invalid access token' })],
  ['a resolved reply with the body in data', (code) => async () => ({ status: 400, data: { code, msg: 'Invalid access token' } })],
  ['a thrown error with the code', (code) => async () => Promise.reject(Object.assign(new Error('refused'), { code }))],
  ['a thrown error with the body in data', (code) => async () => Promise.reject(Object.assign(new Error('refused'), { data: { code } }))],
  [
    'an error as axios throws it',
    (code) => async () => {
      const response = { status: 400, data: { code, msg: 'Invalid access token' } }
      throw Object.assign(new Error('Request failed with status code 400'), { code: 'ERR_BAD_REQUEST', response })
    },
  ],
  [
    'a call that throws before it returns a promise',
    (code) => () => {
      throw Object.assign(new Error('refused'), { code })
    },
  ],
]

describe.each(shapes)('a refusal in %s', (_, show) => {
  test.each(REFUSALS)('with code %i is one: the call is made once more, with a newer token', async (code) => {
    const { world, node } = await revoked()
    const calls: Token[] = []
    const result = await node.tokens.app.use((token) => {
      calls.push(token)
      return calls.length === 1 ? show(code)() : Promise.resolve('done')
    })
    expect(result).toBe('done')
    expect(calls).toHaveLength(2)
    expect(calls[1]?.version).toBeGreaterThan(calls[0]?.version ?? Number.POSITIVE_INFINITY)
    expect(world.mints()).toBe(2)
  })

  test.each(OTHER_CODES)('with code %i is none: the call is made once and its outcome handed on as it is', async (code) => {
    const { world, node } = await revoked()
    let calls = 0
    const outcome = (): Promise<unknown> => {
      calls += 1
      return show(code)()
    }
    const direct = await Promise.resolve()
      .then(show(code))
      .then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      )
    const used = await node.tokens.app.use(outcome).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    )
    expect(used).toEqual(direct)
    expect(calls).toBe(1)
    expect(world.mints()).toBe(1)
  })
})

describe('a reply of an HTTP client', () => {
  /** A platform that refuses whatever comes. */
  async function refusing(): Promise<{ readonly url: string }> {
    const server = createServer((_, response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ code: 99991663, msg: 'Invalid access token' }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }

  test.each([
    ['fetch', (url: string) => fetch(url)],
    ['fetch of undici', (url: string) => undici.fetch(url)],
    ['request of undici', (url: string) => undici.request(url)],
  ])('%s that nobody has read is a TypeError that says what to return: its body may be a refusal', async (_, send) => {
    const { url } = await refusing()
    const { world, node } = await revoked()
    const error = await errorOf(node.tokens.app.use<unknown>(() => send(url)))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/^use\(\): expected what was read of the reply, .*feishuFetch/)
    expect(world.mints()).toBe(1)
  })

  test('is noticed once it has been read', async () => {
    const { url } = await refusing()
    const { world, node } = await revoked()
    let calls = 0
    expect(await node.tokens.app.use(async () => (calls++ === 0 ? (await fetch(url)).json() : 'done'))).toBe('done')
    expect(world.mints()).toBe(2)
  })

  test('that a thrown error holds does not hide that error', async () => {
    const { node } = await revoked()
    const thrown = Object.assign(new Error('HTTP 500'), { bodyUsed: false, body: new ReadableStream() })
    expect(await errorOf(node.tokens.app.use(() => Promise.reject(thrown)))).toBe(thrown)
  })

  test('without a body is handed on', async () => {
    const { node } = await revoked()
    const reply = new Response(null, { status: 204 })
    expect(await node.tokens.app.use(async () => reply)).toBe(reply)
  })
})

describe('what is no refusal', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 99991664],
    ['a string', '99991664'],
    ['a code in quotes', { code: '99991664' }],
    ['a list', [{ code: 99991664 }]],
    ['a code deep inside', { data: { items: { more: { code: 99991664 } } } }],
    ['an HTTP 401 of another system', { status: 401, data: 'nginx' }],
  ])('%s', async (_, value) => {
    const { world, node } = await revoked()
    expect(await node.tokens.app.use(async () => value)).toBe(value)
    const thrown = await node.tokens.app
      .use(() => Promise.reject(value))
      .then(
        () => 'resolved',
        (error: unknown) => error,
      )
    expect(thrown).toBe(value)
    expect(world.mints()).toBe(1)
  })

  test('a result that refers to itself', async () => {
    const { world, node } = await revoked()
    const knot: Record<string, unknown> = { code: 0 }
    knot.data = knot
    knot.response = knot
    expect(await node.tokens.app.use(async () => knot)).toBe(knot)
    expect(world.mints()).toBe(1)
  })
})

describe('use()', () => {
  test('hands out the second refusal as it is and does not try a third time', async () => {
    const { world, node } = await revoked()
    let calls = 0
    const refusal = Object.assign(new Error('refused'), { code: 99991664 })
    const error = await errorOf(
      node.tokens.app.use(() => {
        calls += 1
        return Promise.reject(refusal)
      }),
    )
    expect(error).toBe(refusal)
    expect(calls).toBe(2)
    expect(world.mints()).toBe(2)
  })

  test('goes by the caller’s own isRejected, when there is one', async () => {
    const { world, node } = await revoked()
    const outcomes: unknown[] = []
    const isRejected = (outcome: unknown) => {
      outcomes.push(outcome)
      return outcome === 'no'
    }
    let calls = 0
    const answer = await node.tokens.app.use(
      async () => {
        calls += 1
        return calls === 1 ? 'no' : 'yes'
      },
      { isRejected },
    )
    expect(answer).toBe('yes')
    expect(outcomes[0]).toBe('no')
    // A code of the platform says nothing to it.
    expect(await node.tokens.app.use(async () => ({ code: 99991664 }), { isRejected })).toEqual({ code: 99991664 })
    expect(world.mints()).toBe(2)
  })

  test('hands on what the caller’s own isRejected throws, and rejects nothing', async () => {
    const { world, node } = await revoked()
    const broken = new Error('broken isRejected')
    const isRejected = () => {
      throw broken
    }
    expect(await errorOf(node.tokens.app.use(async () => 'fine', { isRejected }))).toBe(broken)
    expect(world.mints()).toBe(1)
  })

  test('takes the bounds of get() for each of its waits', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    world.simulator.fault('app_access_token', { kind: 'hang' }, { times: Number.POSITIVE_INFINITY })
    let calls = 0
    const used = watched(
      tokens.app.use(
        async () => {
          calls += 1
        },
        { timeoutMs: 3_000 },
      ),
    )
    await pass(world.clock, 3_000)
    expect(used.outcome).toBe('rejected')
    expect(await used.promise.catch((error: unknown) => error)).toMatchObject({ code: 'TIMEOUT' })
    const controller = new AbortController()
    const aborted = errorOf(tokens.app.use(async () => {}, { signal: controller.signal }))
    controller.abort(new Error('gone'))
    expect(await aborted).toMatchObject({ code: 'ABORTED', cause: { message: 'gone' } })
    expect(calls).toBe(0)
  })

  test('refuses an option it cannot use, before the call is made', async () => {
    const world = await createWorld()
    const { tokens } = world.node()
    const error = await errorOf(tokens.app.use(async () => 'never', { timeoutMs: -1 }))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain('timeoutMs')
  })

  test('of 1,000 callers at the moment of a rotation makes no call twice without need', async () => {
    const world = await createWorld()
    const { tokens } = world.node(withChance(0))
    await tokens.app.get()
    await pass(world.clock, 91 * 60_000 - 1)
    let calls = 0
    const uses = Array.from({ length: 1_000 }, () =>
      tokens.app.use(async (token) => {
        calls += 1
        return { code: world.simulator.judge(token.value) === 'valid' ? 0 : 99991664 }
      }),
    )
    await pass(world.clock, 2)
    for (const { code } of await Promise.all(uses)) expect(code).toBe(0)
    expect(calls).toBe(1_000)
    expect(world.mints()).toBe(2)
  })
})
