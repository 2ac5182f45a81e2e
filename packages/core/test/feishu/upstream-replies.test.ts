import { isTokenError, type TokenError } from '@tokenwell/core'
import type { Fault } from '@tokenwell/feishu-simulator'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import { createWorld, listen, MINT, MINUTE, pass, quiet, recordOf, type World } from '../support/world.ts'

const unhandled: unknown[] = []
const remember = (reason: unknown) => void unhandled.push(reason)
beforeAll(() => void process.on('unhandledRejection', remember))
afterAll(() => void process.off('unhandledRejection', remember))
afterEach(async () => {
  await quiet()
  expect(unhandled.splice(0)).toEqual([])
})

/** A caller that does not wait for the retry gets the failure itself. */
async function failureOf(world: World, tokens = world.node().tokens): Promise<TokenError> {
  const error = await errorOf(tokens.app.get({ timeoutMs: 100 }))
  if (!isTokenError(error)) throw new Error('expected a TokenError', { cause: error })
  return error
}

/** A reply written by hand. */
function written(body: string, status = 200): Fault {
  return { kind: 'status', status, body }
}

const reply = (fields: object): string => JSON.stringify({ code: 0, msg: 'success', app_access_token: 'a-token-from-elsewhere', ...fields })

type Expected = { readonly code: string; readonly upstream?: object; readonly retryable?: boolean }

const INVALID = 'UPSTREAM_INVALID_REPLY'
const DOWN = 'UPSTREAM_UNAVAILABLE'

/** What passes by itself, and soon. */
const PASSING: ReadonlyArray<readonly [what: string, fault: Fault, expected: Expected]> = [
  ['500', { kind: 'status', status: 500 }, { code: DOWN, upstream: { httpStatus: 500 } }],
  ['502 with a page of a proxy', { kind: 'html', status: 502 }, { code: DOWN, upstream: { httpStatus: 502 } }],
  ['503 and nothing', { kind: 'empty', status: 503 }, { code: DOWN, upstream: { httpStatus: 503 } }],
  [
    'a transient code',
    { kind: 'code', code: 2200, msg: 'try later' },
    { code: DOWN, upstream: { code: 2200, msg: 'try later', httpStatus: 200 } },
  ],
  ['a transient code in a 500', { kind: 'code', code: 20050, status: 500 }, { code: DOWN, upstream: { code: 20050, httpStatus: 500 } }],
  ['code 0 in a 500 without a token', written('{"code":0}', 500), { code: INVALID, upstream: { code: 0, httpStatus: 500 } }],
  ['200 with HTML', { kind: 'html' }, { code: INVALID, upstream: { httpStatus: 200 } }],
  ['200 and nothing', { kind: 'empty' }, { code: INVALID, upstream: { httpStatus: 200 } }],
  ['404 with HTML', { kind: 'html', status: 404 }, { code: INVALID, upstream: { httpStatus: 404 } }],
  ['truncated JSON', { kind: 'truncated' }, { code: INVALID, upstream: { httpStatus: 200 } }],
  ['wrong types', { kind: 'wrong-types' }, { code: INVALID, upstream: { code: 0, httpStatus: 200 } }],
  ['a code that is text', written('{"code":"0","msg":"success"}'), { code: INVALID, upstream: { httpStatus: 200, msg: 'success' } }],
  ['a list', written('[{"code":0}]'), { code: INVALID, upstream: { httpStatus: 200 } }],
  ['null', written('null'), { code: INVALID, upstream: { httpStatus: 200 } }],
  ['no token', { kind: 'missing-token' }, { code: INVALID, upstream: { code: 0 } }],
  ['an empty token', written(reply({ app_access_token: '', expire: 7200 })), { code: INVALID, upstream: { code: 0 } }],
  ['no expire', { kind: 'expire' }, { code: INVALID, upstream: { code: 0 } }],
  ['expire 0', { kind: 'expire', value: 0 }, { code: INVALID, upstream: { code: 0 } }],
  ['a negative expire', { kind: 'expire', value: -7200 }, { code: INVALID, upstream: { code: 0 } }],
  ['an expire that is text', { kind: 'expire', value: '7200' }, { code: INVALID, upstream: { code: 0 } }],
  ['an expire of a trillion', { kind: 'expire', value: 1e12 }, { code: INVALID, upstream: { code: 0 } }],
  ['an expire beyond all numbers', written(reply({}).replace('}', ',"expire":1e999}')), { code: INVALID, upstream: { code: 0 } }],
  ['an expire of a fraction of a millisecond', { kind: 'expire', value: 0.0001 }, { code: INVALID, upstream: { code: 0 } }],
  ['5 MB', { kind: 'huge' }, { code: INVALID, upstream: { httpStatus: 200 } }],
  ['a redirect to nowhere', { kind: 'redirect', location: '/elsewhere' }, { code: INVALID, upstream: { httpStatus: 302 } }],
]

describe.each(PASSING)('a mint that gets %s', (_, fault, expected) => {
  test('fails with an error that carries what the upstream said, and recovers within the backoff', async () => {
    const world = await createWorld()
    const node = world.node()
    world.simulator.fault(MINT, fault)
    const error = await failureOf(world, node.tokens)
    expect(error).toMatchObject({ retryable: true, ...expected })
    expect(error.upstream?.logId).toBe(world.simulator.requests[0]?.logId)
    const { value, version, backoff } = await recordOf(world, node, 'app-access-token')
    expect([value, version, backoff?.failures]).toEqual([undefined, 0, 1])

    const token = node.tokens.appAccessToken()
    await pass(world.clock, 600)
    expect(world.simulator.judge(await token)).toBe('valid')
    expect(world.mints()).toBe(2)
    expect(node.tokens.status()[0]).not.toHaveProperty('lastError')
  })
})

test.each([
  ['before the request was carried out', 'request'],
  ['after a token was minted', 'reply'],
] as const)('a connection that is reset %s is an error with its cause, and the next try brings the token', async (_, at) => {
  const world = await createWorld()
  const node = world.node()
  world.simulator.fault(MINT, { kind: 'reset', at })
  const error = await failureOf(world, node.tokens)
  expect(error).toMatchObject({ code: DOWN, retryable: true, cause: { code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET|EPIPE/) } })
  expect(error.upstream).toBeUndefined()
  expect(await recordOf(world, node, 'app-access-token')).toMatchObject({ version: 0 })
  const token = node.tokens.appAccessToken()
  await pass(world.clock, 600)
  expect(world.simulator.judge(await token)).toBe('valid')
})

test('an upstream that does not listen is an error with its cause, for a fleet that tries ever less often', async () => {
  const world = await createWorld()
  const { tokens } = world.node({ tokens: { domain: 'http://127.0.0.1:1' } })
  await tokens.acceptAppTicket({ ticket: secret(world.simulator.issueTicket(world.appId)), eventTime: new Date(world.clock.wall()) })
  const error = await failureOf(world, tokens)
  expect(error).toMatchObject({ code: DOWN, retryable: true, cause: { code: 'ECONNREFUSED' } })
  expect(error.message).toContain('domain')
  expect(error.message).toContain('http.dispatcher')
})

test('a reply that does not come ends at the deadline, and the next try brings the token', async () => {
  const world = await createWorld()
  const node = world.node()
  const hanging = world.simulator.fault(MINT, { kind: 'hang' })
  const value = node.tokens.appAccessToken()
  await pass(world.clock, 8_000)
  expect(hanging.hits).toBe(1)
  expect(world.simulator.judge(await value)).toBe('valid')
  expect(world.simulator.requests[0]?.end).toBe('client-left')
  expect(node.events).toContainEqual(expect.objectContaining({ type: 'backoff', failure: expect.objectContaining({ code: DOWN }) }))
})

test('a reply that trickles in for longer than the deadline is not waited for', async () => {
  const world = await createWorld()
  const node = world.node()
  world.simulator.fault(MINT, { kind: 'slow-body', ms: 60_000 })
  const value = node.tokens.appAccessToken()
  await pass(world.clock, 8_000)
  expect(world.simulator.judge(await value)).toBe('valid')
  expect(world.mints()).toBe(2)
})

test('every caller of a fleet gets the failure that one node met', async () => {
  const world = await createWorld()
  const [first, second] = [world.node(), world.node()]
  world.simulator.fault(MINT, { kind: 'code', code: 12345, msg: 'no such thing' })
  const error = await failureOf(world, first.tokens)
  const shared = await failureOf(world, second.tokens)
  const { upstream } = error
  expect(upstream).toMatchObject({ code: 12345, msg: 'no such thing', logId: world.simulator.requests[0]?.logId })
  expect(shared).toMatchObject({ code: 'UPSTREAM_REFUSED', retryable: false, upstream })
  expect(shared.retryAfterMs).toBeGreaterThan(0)
  expect(world.mints()).toBe(1)
})

test.each([
  [429, 'x-ogw-ratelimit-reset', undefined],
  [400, 'code 99991400', 400],
] as const)('a rate limit told by status %i and %s holds the whole fleet back for as long as it says', async (_status, _by, status) => {
  const world = await createWorld()
  const [first, second] = [world.node(), world.node()]
  world.simulator.fault(MINT, { kind: 'rate-limit', resetSeconds: 40, ...(status === undefined ? {} : { status }) })
  const error = await failureOf(world, first.tokens)
  expect(error).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 40_000, upstream: { code: 99991400 } })
  expect(await errorOf(second.tokens.appAccessToken())).toMatchObject({ code: 'RATE_LIMITED', upstream: error.upstream })
  await pass(world.clock, 39_900)
  expect(await errorOf(first.tokens.app.get({ timeoutMs: 50 }))).toMatchObject({ code: 'RATE_LIMITED' })
  expect(world.mints()).toBe(1)
  const values = Promise.all([first.tokens.appAccessToken(), second.tokens.appAccessToken()])
  await pass(world.clock, 5_000)
  expect(new Set(await values).size).toBe(1)
  expect(world.mints()).toBe(2)
})

test('a rate limit without a time is waited out like any other failure', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  world.simulator.fault(MINT, written('slow down', 429))
  expect(await failureOf(world, tokens)).toMatchObject({ code: 'RATE_LIMITED', retryable: true, upstream: { httpStatus: 429 } })
  const value = tokens.appAccessToken()
  await pass(world.clock, 600)
  expect(world.simulator.judge(await value)).toBe('valid')
})

test.each([301, 302, 307, 308])('a redirect by %i is not followed: nobody else ever sees the secret', async (status) => {
  const world = await createWorld()
  const seen: string[] = []
  const elsewhere = await listen((request, response) => {
    seen.push(request.url ?? '')
    response.end('{}')
  })
  world.simulator.fault(MINT, { kind: 'redirect', location: `${elsewhere}/open-apis/auth/v3/app_access_token`, status })
  const { tokens } = world.node()
  expect(await failureOf(world, tokens)).toMatchObject({ code: INVALID, retryable: true, upstream: { httpStatus: status } })
  const value = tokens.appAccessToken()
  await pass(world.clock, 600)
  expect(world.simulator.judge(await value)).toBe('valid')
  expect(seen).toEqual([])
})

test('a code that no rule knows is not retried for five minutes, then tried again when a caller asks', async () => {
  const world = await createWorld()
  const node = world.node()
  world.simulator.fault(MINT, { kind: 'code', code: 12345, status: 400 })
  const error = await failureOf(world, node.tokens)
  expect(error).toMatchObject({ code: 'UPSTREAM_REFUSED', retryable: false, upstream: { code: 12345, httpStatus: 400 } })
  await pass(world.clock, 4.9 * MINUTE)
  expect(await errorOf(node.tokens.appAccessToken())).toMatchObject({ code: 'UPSTREAM_REFUSED' })
  expect(world.mints()).toBe(1)
  await pass(world.clock, 0.7 * MINUTE)
  expect(world.simulator.judge(await node.tokens.appAccessToken())).toBe('valid')
  expect(world.mints()).toBe(2)
})

test('a token that lives too short to be shared is served to who waits for it, and the fleet does not hammer the upstream', async () => {
  const world = await createWorld()
  const node = world.node()
  world.simulator.fault(MINT, { kind: 'expire', value: 10 }, { times: Number.POSITIVE_INFINITY })
  expect(world.simulator.judge(await node.tokens.appAccessToken())).toBe('valid')
  expect(await recordOf(world, node, 'app-access-token')).toMatchObject({ version: 0, backoff: { failures: 1 } })
  for (let second = 0; second < 60; second += 1) {
    const asked = node.tokens.app.get({ timeoutMs: 900 }).catch(() => {})
    await pass(world.clock, 1_000)
    await asked
  }
  expect(world.mints()).toBeLessThanOrEqual(10)
})

test('an upstream that is down for ten minutes is asked ever less often, and served from again once it is back', async () => {
  const world = await createWorld()
  const nodes = Array.from({ length: 3 }, () => world.node())
  world.simulator.fault(MINT, { kind: 'status', status: 500 }, { times: Number.POSITIVE_INFINITY })
  for (let round = 0; round < 40; round += 1) {
    const errors = nodes.map(({ tokens }) => errorOf(tokens.appAccessToken()))
    await pass(world.clock, 15_000)
    for (const error of await Promise.all(errors)) expect(['TIMEOUT', DOWN]).toContain((error as TokenError).code)
  }
  const times = world.simulator.requests.map(({ receivedAtMs }) => receivedAtMs)
  const lateGaps = times.slice(-5, -1).map((time, index) => (times[times.length - 4 + index] ?? 0) - time)
  expect(Math.min(...lateGaps)).toBeGreaterThanOrEqual(30_000)
  expect(times.length).toBeLessThanOrEqual(30)
  expect(world.simulator.counters().maxInFlight[MINT]).toBe(1)

  world.simulator.clearFaults()
  const values = Promise.all(nodes.map(({ tokens }) => tokens.app.get({ timeoutMs: 61_000 })))
  await pass(world.clock, 61_000)
  expect(new Set((await values).map(({ value }) => value)).size).toBe(1)
})

test('what the upstream echoes of the secret and the ticket does not reach the error', async () => {
  const world = await createWorld()
  const { tokens } = world.node()
  world.simulator.fault(MINT, { kind: 'code', code: 10003, msg: `bad app_secret ${world.appSecret}` })
  const error = await failureOf(world, tokens)
  expect(error.upstream?.msg).toBe('bad app_secret ***')
})
