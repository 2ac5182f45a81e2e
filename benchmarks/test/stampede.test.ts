import { startRedis } from '@tokenwell/test-servers'
import { expect, test } from 'vitest'
import { countedQuantile, Histogram, howMany } from '../measure/histogram.ts'
import { NODE_SDK } from '../measure/library.ts'
import { requestToken, startUpstream } from '../measure/upstream-client.ts'
import { recorded } from '../report/records.ts'
import { holds } from '../report/report.ts'
import { charts, coldStampede, figures, limits } from '../stampede/index.ts'
import { type Outcome, stampede } from '../stampede/stampede.ts'
import { testRecord } from './record.ts'

testRecord(coldStampede, [
  /^upstream requests to one, Tokenwell on Redis$/,
  /^upstream requests to one, Tokenwell on PostgreSQL$/,
  /^time until all are served to 50 \+ 150 ms, in any round, Tokenwell on Redis$/,
  /^time until all are served to 50 \+ 150 ms, in any round, Tokenwell on PostgreSQL$/,
  /^time until all are served to that with nothing shared/,
])

test('the record says that each caller of the official client made a request of its own', () => {
  const requests = recorded(coldStampede.name)?.figures?.find(({ what }) => what === `${NODE_SDK}, requests`)
  expect(new Set(requests?.each)).toEqual(new Set([16_000]))
})

test('the upstream counts the requests of each client, in its own form or as Feishu does it, and gives each another token', async () => {
  const upstream = await startUpstream({ latencyMs: 0 })
  try {
    const { url } = upstream.about
    const tokens = [await requestToken(url, 'one'), await requestToken(url, 'one')]
    const reply = await fetch(`${url}/open-apis/auth/v3/app_access_token/internal`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ app_id: 'two', app_secret: 'secret' }),
    })
    expect(await reply.json()).toMatchObject({ code: 0, expire: 7_200 })
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(2)
    expect(await upstream.ask('one')).toBe(2)
    expect(await upstream.ask('two')).toBe(1)
    expect(await upstream.ask('three')).toBe(0)
  } finally {
    await upstream.end()
  }
})

test('the callers of a small fleet share one request, and those of the official client share none', async () => {
  const redis = await startRedis()
  try {
    const servers = { redisUrl: redis.url, postgresUrl: '' }
    const size = { processes: 2, callers: 10, latencyMs: 50 }
    const ours = await stampede('tokenwell-redis', servers, size)
    expect(ours).toMatchObject({ requests: 1, tokens: 1, failures: [] })
    expect(howMany(ours.waits)).toBe(20)
    expect(countedQuantile(ours.waits, 0)).toBeGreaterThan(50e6)
    expect(ours.waits.greatest / 1e6).toBeLessThanOrEqual(ours.settledMs)
    expect(await stampede('node-sdk', servers, size)).toMatchObject({ requests: 20, failures: [] })
    expect(await stampede('alone', servers, size)).toMatchObject({ requests: 2, tokens: 2, failures: [] })
  } finally {
    await redis.stop()
  }
})

test('a request that is made when everybody has been served counts, too', async () => {
  const size = { processes: 2, callers: 1, latencyMs: 20 }
  expect(await stampede('../../test/contenders/again', { redisUrl: '', postgresUrl: '' }, size)).toMatchObject({ requests: 4 })
})

test('whoever is given anything but a token has none', async () => {
  const size = { processes: 1, callers: 2, latencyMs: 0 }
  const outcome = await stampede('../../test/contenders/empty-handed', { redisUrl: '', postgresUrl: '' }, size)
  expect(outcome.failures).toEqual(Array(2).fill('Error: undefined is no token'))
})

test('one request too many in any round breaks the limit, and so does a round that is too slow, or a median next to nothing shared', () => {
  const outcome: Outcome = { name: 'one', requests: 1, settledMs: 100, tokens: 1, failures: [], waits: new Histogram().counted }
  const bare = { ...outcome, settledMs: 80 }
  const held = (rounds: readonly Outcome[], base = bare) => limits(rounds, [base, base, base], 50).map(holds)
  expect(held([outcome, outcome, outcome])).toEqual([true, true, true])
  expect(held([outcome, { ...outcome, requests: 2 }, outcome])).toEqual([false, true, true])
  expect(held([outcome, { ...outcome, settledMs: 900 }, outcome])).toEqual([true, true, false])
  expect(held([{ ...outcome, settledMs: 201 }], { ...bare, settledMs: 100 })).toEqual([true, true, false])
  expect(held([outcome, outcome, outcome], { ...bare, settledMs: 39 })).toEqual([true, false, true])
})

test('what came of each round is kept', () => {
  const waits = new Histogram()
  waits.record(80e6)
  const outcome: Outcome = { name: 'one', requests: 1, settledMs: 100, tokens: 1, failures: [], waits: waits.counted }
  const kept = figures([outcome, { ...outcome, requests: 2, settledMs: 90, failures: ['gave up'] }])
  expect(kept.map(({ what, each }) => [what, ...each])).toEqual([
    ['one, requests', 1, 2],
    ['one, until all are settled', 100, 90],
    ['one, a caller, p50', 80, 80],
    ['one, a caller, p99', 80, 80],
    ['one, callers without a token', 0, 1],
  ])
})

test('a caller without a token is an error, not a figure', () => {
  const outcome: Outcome = { name: 'one', requests: 1, settledMs: 100, tokens: 1, failures: ['TIMEOUT'], waits: new Histogram().counted }
  expect(() => limits([outcome], [outcome], 50)).toThrow('one: a caller has no token: TIMEOUT')
})

test('who left a caller without a token is not among those whose time until all are served is drawn', () => {
  const outcome: Outcome = { name: 'one', requests: 1, settledMs: 100, tokens: 1, failures: [], waits: new Histogram().counted }
  const drawn = charts(
    new Map([
      ['one', [outcome, outcome]],
      [
        'other',
        [
          { ...outcome, name: 'other' },
          { ...outcome, name: 'other', failures: ['gave up'] },
        ],
      ],
    ]),
  )
  expect(drawn.map(({ bars }) => bars.map(({ name }) => name))).toEqual([['one', 'other'], ['one']])
})
