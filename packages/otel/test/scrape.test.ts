import { systemClock } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { redisStore } from '@tokenwell/store-redis'
import { startRedis } from '@tokenwell/test-servers'
import { flaky } from '@tokenwell/testkit'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { errorOf } from '../../../tools/leak-search/index.ts'
import { startApp, until } from './support/app.ts'

const APP = 'app-access-token'
const TENANT = 'tenant-access-token'

test('what a first caller sets off can be scraped: ticket, claim, fetch, wait, publication and the store', async () => {
  const app = await startApp()
  const process = await app.process()
  await app.giveTicket(process)
  await process.tokens.appAccessToken()
  await process.tokens.tenantAccessToken('a tenant')
  await until(async () => (await process.scrape()).sum('publications_total', { outcome: 'accepted' }) === 2)

  const scrape = await process.scrape()
  expect(scrape.sum('ticket_events_total', { credential: 'app-ticket', outcome: 'accepted' })).toBe(1)
  for (const credential of [APP, TENANT]) {
    expect(scrape.sum('claims_total', { credential, outcome: 'granted' })).toBe(1)
    expect(scrape.sum('fetch_duration_count', { credential, outcome: 'fetched', serving: 'false' })).toBe(1)
    expect(scrape.sum('wait_duration_count', { credential })).toBe(1)
    expect(scrape.sum('keys', { credential, token: 'fresh' })).toBe(1)
    expect(scrape.sum('token_age', { credential })).toBeGreaterThan(0)
    expect(scrape.sum('token_age', { credential })).toBeLessThan(60)
    expect(scrape.sum('token_time_to_expiry', { credential })).toBeGreaterThan(7_000)
    expect(scrape.sum('token_time_to_expiry', { credential })).toBeLessThanOrEqual(7_200)
  }
  for (const operation of ['claim', 'publish', 'read'])
    expect(scrape.sum('store_operation_duration_count', { store_operation: operation })).toBeGreaterThan(0)
  expect(scrape.sum('fetch_duration_sum', { credential: APP })).toBeLessThanOrEqual(
    scrape.sum('wait_duration_sum', { credential: APP }) ?? 0,
  )
  expect(scrape.text).toContain('otel_scope_name="@tokenwell/otel",otel_scope_version="0.0.0-test"')
})

test('over Redis one process fetches and the other adopts, and the token that one rejects is fetched anew once', async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const [first, second] = [new Redis(redis.url), new Redis(redis.url)]
  onTestFinished(() => {
    for (const client of [first, second]) client.disconnect()
  })
  const app = await startApp(redisStore({ client: first }))
  const [one, other] = [await app.process(), await app.process({ manager: { store: redisStore({ client: second }) } })]
  await app.giveTicket(one)
  await one.tokens.appAccessToken()
  const token = await other.tokens.app.get()
  expect((await one.scrape()).sum('fetch_duration_count', { credential: APP })).toBe(1)
  const adopted = await other.scrape()
  expect(adopted.sum('adoptions_total', { credential: APP })).toBe(1)
  expect(adopted.sum('fetch_duration_count')).toBeUndefined()

  app.simulator.revoke(app.appId, { next: 'new' })
  await other.tokens.app.reject(token)
  await other.tokens.appAccessToken()
  const rejected = await other.scrape()
  expect(rejected.sum('rejections_total', { credential: APP, outcome: 'rejected' })).toBe(1)
  await until(
    async () =>
      ((await one.scrape()).sum('fetch_duration_count', { credential: APP }) ?? 0) +
        ((await other.scrape()).sum('fetch_duration_count', { credential: APP }) ?? 0) ===
      2,
  )
})

test('an upstream that refuses shows as a failed fetch, a backoff and a caller whose wait ended in an error', async () => {
  const app = await startApp()
  const process = await app.process()
  await app.giveTicket(process)
  app.simulator.fault('app_access_token', { kind: 'code', code: 10014, msg: 'app secret invalid' })
  await errorOf(process.tokens.appAccessToken())
  const scrape = await process.scrape()
  const refused = { credential: APP, error_type: 'CONFIGURATION_REJECTED' }
  expect(scrape.sum('fetch_duration_count', { ...refused, outcome: 'failed' })).toBe(1)
  expect(scrape.sum('backoffs_total', { ...refused, shared: 'false' })).toBe(1)
  expect(scrape.sum('wait_duration_count', refused)).toBe(1)
  expect(scrape.sum('keys', { ...refused, state: 'cooling', token: 'none' })).toBe(1)
  expect(scrape.sum('backoff_remaining', { credential: APP })).toBeGreaterThan(240)
})

test('an app without a ticket shows as keys that wait for one, and a forged event as refused', async () => {
  const app = await startApp()
  const process = await app.process()
  await errorOf(process.tokens.app.get({ timeoutMs: 200 }))
  await until(async () => (await process.scrape()).sum('ticket_events_total', { outcome: 'requested' }) === 1)
  const reply = await process.tokens.receiveEvent({ headers: {}, body: '{"type":"event_callback","token":"forged"}' })
  expect(reply.status).toBeGreaterThanOrEqual(400)
  const scrape = await process.scrape()
  expect(scrape.sum('keys', { credential: APP, token: 'none', error_type: 'TICKET_UNAVAILABLE' })).toBe(1)
  expect(scrape.sum('blocks_total', { credential: APP, error_type: 'TICKET_UNAVAILABLE' })).toBe(1)
  expect(scrape.sum('refused_events_total', { http_response_status_code: String(reply.status) })).toBe(1)
})

test('a store that is down shows as failed operations, and tokens that it has not got', async () => {
  const store = flaky(memoryStore(), systemClock)
  const app = await startApp(store)
  const process = await app.process()
  await app.giveTicket(process)
  store.always('all', { kind: 'throw' })
  await process.tokens.appAccessToken()
  const scrape = await process.scrape()
  expect(scrape.sum('store_operation_duration_count', { store_operation: 'claim', error_type: 'failed' })).toBe(2)
  expect(scrape.sum('tokens_unpublished', { credential: APP })).toBe(1)
  expect(scrape.sum('keys', { credential: APP, state: 'detached' })).toBe(1)
  store.restore()
})

test('no key, tenant or user is in it unless asked for', async () => {
  const app = await startApp()
  const [plain, keyed] = [await app.process(), await app.process({ observe: { keys: true } })]
  await app.giveTicket(plain)
  for (const { tokens } of [plain, keyed]) {
    await tokens.tenantAccessToken('tenant-of-mine')
    await errorOf(tokens.user('user-of-mine').get({ timeoutMs: 100 }))
  }
  const without = await plain.scrape()
  expect(without.sum('keys', { credential: 'user-access-token' })).toBe(1)
  expect(without.text + JSON.stringify(plain.spans())).not.toMatch(/of-mine|cli_observed/)
  const { key } = keyed.tokens.tenant('tenant-of-mine')
  expect((await keyed.scrape()).sum('adoptions_total', { credential: TENANT, key })).toBe(1)
})

test('a call for a token that is in memory leaves no trace', async () => {
  const app = await startApp()
  const process = await app.process()
  await app.giveTicket(process)
  await process.tokens.appAccessToken()
  const counted = async () => (await process.scrape()).samples.filter(({ name }) => /_(total|count|sum|bucket)$/.test(name))
  await until(async () => (await process.scrape()).sum('publications_total') === 1)
  const before = [await counted(), process.spans().length]
  for (let call = 0; call < 1_000; call += 1) await process.tokens.app.get()
  expect([await counted(), process.spans().length]).toEqual(before)
})

test('nothing is reported any more once it has been stopped', async () => {
  const app = await startApp()
  const process = await app.process()
  await app.giveTicket(process)
  process.stop()
  process.stop()
  await process.tokens.appAccessToken()
  const scrape = await process.scrape()
  expect([scrape.sum('fetch_duration_count'), scrape.sum('keys'), process.spans().length]).toEqual([undefined, undefined, 0])
})
