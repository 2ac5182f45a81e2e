import { createWebEventHandler, type FeishuTokens, feishuAuth, feishuFetch } from '@tokenwell/core/feishu'
import { type FakeFeishuTokens, type FakeFeishuTokensOptions, type FakeReply, fakeFeishuTokens } from '@tokenwell/testkit/feishu'
import { request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { record } from '../../../tools/leak-search/index.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

function fake(options?: FakeFeishuTokensOptions): FakeFeishuTokens {
  const tokens = fakeFeishuTokens(options)
  onTestFinished(async () => {
    await tokens.close()
    expect(tokens.clock.pending).toBe(0)
  })
  return tokens
}

const asked = ({ platform }: FakeFeishuTokens) => platform.requests.map(({ endpoint }) => endpoint)

/** What a promise comes to in so much time; by default in none, when everything has gone as far as it can without. */
async function within<T>(tokens: FakeFeishuTokens, promise: Promise<T>, ms = 0): Promise<T | 'waits' | Error> {
  let outcome: T | 'waits' | Error = 'waits'
  promise.then(
    (value) => {
      outcome = value
    },
    (error: Error) => {
      record('error', error)
      outcome = error
    },
  )
  await tokens.clock.advance(ms)
  return outcome
}

test('code that takes FeishuTokens takes the fake, and is given a token of every kind at once', async () => {
  const tokens = fake()
  const underTest: FeishuTokens = tokens
  expect(await underTest.appAccessToken()).toBe('a-1')
  expect(await underTest.tenantAccessToken('acme')).toBe('t-acme-1')
  expect(await underTest.jsapiTicket('acme').get()).toMatchObject({ value: 'jsapi-acme-1' })
  await underTest.user('ann').authorize({ code: tokens.platform.issueCode('ann') })
  expect(await underTest.user('ann').get()).toMatchObject({ value: 'u-1' })
  await underTest.ready()
  expect(asked(tokens)).toEqual(['app_access_token', 'tenant_access_token', 'jsapi_ticket', 'oauth_token'])
})

test('a custom app has its tokens without a ticket', async () => {
  const tokens = fake({ appType: 'custom', appId: 'cli_own' })
  expect([tokens.appId, await tokens.appAccessToken(), await tokens.tenantAccessToken()]).toEqual(['cli_own', 't-1', 't-1'])
  expect(await tokens.jsapiTicket().get()).toMatchObject({ value: 'jsapi-1' })
  expect(asked(tokens)).toEqual(['app_access_token_internal', 'jsapi_ticket'])
})

test('every request is on record, with what it carried and when it came', async () => {
  const tokens = fake()
  await tokens.clock.advance(1_500)
  await tokens.tenantAccessToken('acme')
  expect(tokens.platform.requests.at(-1)).toEqual({
    endpoint: 'tenant_access_token',
    method: 'POST',
    path: '/open-apis/auth/v3/tenant_access_token',
    fields: { app_access_token: 'a-1', tenant_key: 'acme' },
    receivedAtMs: Date.UTC(2026, 0, 1) + 1_500,
  })
})

test('values and lives come as they are scripted, and then as ever', async () => {
  const tokens = fake()
  tokens.platform.next('tenant_access_token', { value: 'first', lifeMs: 10_000 }, { lifeMs: 10_000 })
  const first = await tokens.tenant('acme').get()
  expect(first).toMatchObject({ value: 'first', expiresAt: tokens.clock.wall() + 10_000 })
  const values = [first.value]
  for (let each = 0; each < 2; each += 1) {
    await tokens.clock.advance(10_000)
    values.push(await tokens.tenantAccessToken('acme'))
  }
  expect(values).toEqual(['first', 't-acme-2', 't-acme-3'])
  expect(await tokens.tenantAccessToken('globex')).toBe('t-globex-1')
})

test('time renews what is in use, at the same moments in every run', async () => {
  const run = async () => {
    const tokens = fake()
    for (let minute = 0; minute < 6 * 60; minute += 1) {
      await tokens.tenantAccessToken('acme')
      await tokens.clock.advance(MINUTE_MS)
    }
    return tokens.platform.requests
  }
  const requests = await run()
  expect(requests.filter(({ endpoint }) => endpoint === 'tenant_access_token').length).toBeGreaterThanOrEqual(4)
  expect(await run()).toEqual(requests)
})

test('in its renewal window the old token is served while the reply that brings the next is held, and the held one afterwards', async () => {
  const tokens = fake()
  await tokens.appAccessToken()
  const held = tokens.platform.hold('app_access_token')
  while (held.waiting === 0) await tokens.clock.advance(1_000)
  expect(await tokens.appAccessToken()).toBe('a-1')
  held.release()
  await tokens.clock.advance(0)
  expect([held.waiting, await tokens.appAccessToken()]).toEqual([0, 'a-2'])
})

test('with nothing at hand all callers wait for one held reply', async () => {
  const tokens = fake()
  const held = tokens.platform.hold('app_access_token')
  const callers = Promise.all(Array.from({ length: 100 }, () => tokens.appAccessToken()))
  expect(await within(tokens, callers)).toBe('waits')
  expect(held.waiting).toBe(1)
  held.release()
  expect(new Set(await callers)).toEqual(new Set(['a-1']))
})

test('a request that its sender gives up is not held any more', async () => {
  const tokens = fake()
  const held = tokens.platform.hold('app_access_token')
  const caller = tokens.app.get()
  await within(tokens, caller)
  await tokens.close()
  expect([held.waiting, await within(tokens, caller)]).toEqual([0, expect.objectContaining({ code: 'CLOSED' })])
})

test.each<[string, FakeReply, number, object]>([
  ['a refusal', { code: 10014 }, 0, { code: 'CONFIGURATION_REJECTED', retryable: false, upstream: { code: 10014, httpStatus: 400 } }],
  [
    'a refusal in its words',
    { code: 12345, msg: 'no', status: 200 },
    0,
    { code: 'UPSTREAM_REFUSED', upstream: { msg: 'no', httpStatus: 200 } },
  ],
  ['a rate limit', { code: 99991400, resetSeconds: 20 }, 0, { code: 'RATE_LIMITED', retryAfterMs: 20_000, upstream: { httpStatus: 429 } }],
  ['a status of a proxy', { status: 502 }, 15_000, { code: 'UPSTREAM_UNAVAILABLE', retryable: true, upstream: { httpStatus: 502 } }],
])('%s fails a mint as in production: at once, or after as many tries as a caller has time for', async (_, reply, waitMs, error) => {
  const tokens = fake()
  tokens.platform.always('app_access_token', reply)
  expect(await within(tokens, tokens.ready(), waitMs)).toMatchObject(error)
  tokens.platform.restore()
  await tokens.clock.advance(HOUR_MS)
  expect(await tokens.appAccessToken()).toBe('a-1')
})

test('a single failure that passes costs a caller the time of the backoff', async () => {
  const tokens = fake()
  tokens.platform.next('tenant_access_token', undefined, { status: 503 })
  expect(await tokens.tenantAccessToken('acme')).toBe('t-acme-1')
  const caller = tokens.tenantAccessToken('globex')
  expect(await within(tokens, caller)).toBe('waits')
  expect(await within(tokens, caller, 5_000)).toBe('t-globex-1')
})

test('a request that gets no reply fails when its time is over', async () => {
  const tokens = fake()
  tokens.platform.always('app_access_token', 'timeout')
  const failed = tokens.app.get()
  expect(await within(tokens, failed)).toBe('waits')
  expect(await within(tokens, failed, 15_000)).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', retryable: true })
})

test('a revoked token is refused by whatever is minted from it, and replaced', async () => {
  const tokens = fake()
  await tokens.appAccessToken()
  tokens.platform.revoke('a-1')
  expect(tokens.platform.judge('a-1')).toBe('revoked')
  expect(await tokens.tenantAccessToken('acme')).toBe('t-acme-1')
  expect(await tokens.appAccessToken()).toBe('a-2')
  expect(['a-2', 't-acme-1', 'made up'].map((token) => tokens.platform.judge(token))).toEqual(['valid', 'valid', 'unknown'])
  await tokens.clock.advance(2 * HOUR_MS)
  expect(tokens.platform.judge('t-acme-1')).toBe('ended')
})

test('use() calls once more with the next token, by the codes of the platform or by what the caller says', async () => {
  const tokens = fake()
  await tokens.user('ann').authorize({ code: tokens.platform.issueCode('ann') })
  tokens.platform.revoke('u-1')
  const dead = { 'u-1': 99991668, 't-acme-1': 99991663 }
  const call = async ({ value }: { readonly value: string }) => ({ code: Reflect.get(dead, value) ?? 0, value })
  expect(await tokens.user('ann').use(call)).toEqual({ code: 0, value: 'u-2' })
  await tokens.tenantAccessToken('acme')
  tokens.platform.revoke('t-acme-1')
  expect(await tokens.tenant('acme').use(call)).toEqual({ code: 0, value: 't-acme-2' })
  await tokens.clock.advance(10_000)
  tokens.platform.revoke('t-acme-2')
  const isRejected = (outcome: unknown) => outcome === 'denied'
  const own = async ({ value }: { readonly value: string }) => (value === 't-acme-2' ? 'denied' : value)
  expect(await tokens.tenant('acme').use(own, { isRejected })).toBe('t-acme-3')
})

test('without a revocation the platform stands by its token, and a wrong rejection costs one mint', async () => {
  const tokens = fake()
  const token = await tokens.app.get()
  await tokens.app.reject(token)
  expect(await tokens.appAccessToken()).toBe('a-1')
  expect(asked(tokens)).toEqual(['app_access_token', 'app_access_token'])
})

test('the API answers what feishuFetch and feishuAuth send with a good token, and refuses a dead one', async () => {
  const tokens = fake({ api: ({ path, fields }) => ({ data: { path, ...fields } }) })
  const { dispatcher } = tokens.platform
  const api = feishuFetch(tokens, { tenantKey: 'acme', dispatcher })
  await tokens.tenantAccessToken('acme')
  tokens.platform.revoke('t-acme-1')
  const body = JSON.stringify({ name: 'Ann' })
  const reply = await api('/open-apis/contact/v3/users?page=1', { method: 'POST', body })
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json'])
  expect(await reply.json()).toEqual({ code: 0, msg: 'success', data: { path: '/open-apis/contact/v3/users?page=1', name: 'Ann' } })
  const sent = tokens.platform.requests.filter(({ endpoint }) => endpoint === 'api')
  expect(sent.map(({ authorization }) => authorization)).toEqual(['Bearer t-acme-1', 'Bearer t-acme-2'])

  const composed = dispatcher.compose(feishuAuth(tokens, { token: tokens.app }))
  const { statusCode } = await request(`${tokens.baseUrl}/open-apis/x`, { dispatcher: composed })
  expect([statusCode, tokens.platform.requests.at(-1)?.authorization]).toEqual([200, 'Bearer a-1'])
})

test('a client that brings its own header gets the refusal that belongs to its token', async () => {
  const tokens = fake()
  await tokens.tenantAccessToken('acme')
  await tokens.user('ann').authorize({ code: tokens.platform.issueCode('ann') })
  for (const token of ['a-1', 't-acme-1']) tokens.platform.revoke(token)
  await tokens.clock.advance(2 * HOUR_MS)
  const code = async (headers: Record<string, string>) => {
    const { body } = await request(`${tokens.baseUrl}/open-apis/x`, { dispatcher: tokens.platform.dispatcher, headers })
    return ((await body.json()) as { code: number }).code
  }
  const codes = ['a-1', 't-acme-1', 'u-1', 'made up'].map((token) => code({ Authorization: `Bearer ${token}` }))
  expect(await Promise.all([...codes, code({})])).toEqual([99991664, 99991663, 99991677, 99991671, 99991671])
})

test('a reply of the API can be scripted like any other', async () => {
  const tokens = fake()
  tokens.platform.next('api', { code: 99991400, resetSeconds: 2 })
  const reply = feishuFetch(tokens, { tenantKey: 'acme', dispatcher: tokens.platform.dispatcher })('/open-apis/x')
  const beganAt = tokens.clock.wall()
  while ((await within(tokens, reply, 100)) === 'waits');
  expect((await reply).status).toBe(200)
  // It has waited on the clock of the fake.
  expect(tokens.clock.wall() - beganAt).toBeGreaterThanOrEqual(2_000)
})

test('without a ticket ready() says so, and a ticket that a route or a queue brings ends it', async () => {
  const tokens = fake({ ticket: false })
  expect(await within(tokens, tokens.ready(), 15_000)).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
  expect(asked(tokens)).toEqual(['app_ticket_resend'])

  const route = createWebEventHandler(tokens)
  const reply = await route(new Request('http://app.example/events', { method: 'POST', ...tokens.platform.buildEvent() }))
  expect(reply.status).toBe(200)
  await tokens.clock.advance(1_000)
  await tokens.ready()

  const another = fake({ ticket: false })
  expect(await another.acceptAppTicket({ ticket: 'from a queue', eventTime: new Date(another.clock.wall()) })).toBe('accepted')
  await another.ready()
})

test('tickets that are void are refused until the next one comes', async () => {
  const tokens = fake()
  tokens.platform.invalidateTickets()
  expect(await within(tokens, tokens.ready(), 15_000)).toMatchObject({ code: 'TICKET_UNAVAILABLE', cause: { code: 'TICKET_REJECTED' } })
  await tokens.receiveEvent(tokens.platform.buildEvent())
  await tokens.clock.advance(1_000)
  expect(await tokens.appAccessToken()).toBe('a-1')
})

test('another event reaches the code under test as the platform sends it', async () => {
  const tokens = fake()
  const { event } = await tokens.receiveEvent(tokens.platform.buildEvent({ type: 'app_open', tenant_key: 'acme' }))
  expect(event).toMatchObject({ event: { type: 'app_open', tenant_key: 'acme', app_id: 'cli_fake' } })
})

test('close() waits for nothing that a test holds back, the refresh of a user included', async () => {
  const tokens = fake()
  await tokens.user('ann').authorize({ code: tokens.platform.issueCode('ann') })
  const held = tokens.platform.hold('oauth_token')
  tokens.platform.next('app_access_token', 'timeout')
  await tokens.user('ann').reject(await tokens.user('ann').get())
  const waiting = [tokens.user('ann').get(), tokens.app.get()].map((promise) => within(tokens, promise))
  expect([await Promise.all(waiting), held.waiting]).toEqual([['waits', 'waits'], 1])
  await tokens.close({ graceMs: 5_000 })
  await expect(tokens.appAccessToken()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('an order that could not be carried out is refused when it is given', () => {
  const { platform } = fake()
  const order = (endpoint: string, reply: unknown) => () => platform.next(endpoint as 'api', reply as FakeReply)
  expect(order('app_token', { code: 1 })).toThrow('endpoint: expected one of app_access_token, ')
  expect(() => platform.hold('app_token' as 'api')).toThrow(TypeError)
  expect(() => platform.always('api', { value: 'x' })).toThrow(TypeError)
  expect(() => platform.revoke('made up')).toThrow('revoke: expected a token that this platform has given out')
  const wrong: [string, unknown][] = [
    ['api', { value: 'x' }],
    ['app_ticket_resend', {}],
    ['app_access_token', { token: 'x' }],
    ['app_access_token', { code: 0 }],
    ['app_access_token', { code: 1, value: 'x' }],
    ['app_access_token', { value: '' }],
    ['api', { status: 99 }],
    ['app_access_token', { lifeMs: 1_500 }],
    ['app_access_token', { lifeMs: 25 * HOUR_MS }],
    ['app_access_token', 'hang'],
    ['app_access_token', null],
  ]
  for (const [endpoint, reply] of wrong) expect(order(endpoint, reply), JSON.stringify(reply)).toThrow(/^reply: expected /)
})

test('an option that is wrong is refused by its name', () => {
  // As a test in JavaScript may give them.
  const fake = (options: object) => () => fakeFeishuTokens(options)
  expect(fake({ tickets: false })).toThrow('there is no option "tickets"')
  expect(fake({ ticket: 'no' })).toThrow('ticket: expected true or false')
  expect(fake({ api: 'x' })).toThrow('api: expected a function')
  expect(fake({ appType: 'other' })).toThrow("appType: expected 'store' or 'custom'")
})
