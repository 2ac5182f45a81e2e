import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createHttp } from '../../src/feishu/http.ts'
import * as replies from '../../src/feishu/replies.ts'
import * as requests from '../../src/feishu/requests.ts'
import { mutated } from './support/hostile-json.ts'
import { type Exchange, serveRaw } from './support/raw-server.ts'
import { expectHarmless, expectLinear, PATIENCE_MS, runs, watchRejections } from './support/runs.ts'

/** Not registered as secrets: half of one, when a byte in the middle of it was changed, is one to whoever looks for parts. */
const made = () => randomBytes(24).toString('base64url')
const [appSecret, appTicket, appAccessToken, tenantAccessToken, refreshToken] = [made(), made(), made(), made(), made()]
const DAY = 86_400_000
const BODY_LIMIT = 64 * 1024

interface Endpoint {
  readonly name: string
  readonly request: requests.UpstreamRequest
  /** What the request carries and no error may quote. */
  readonly secrets: readonly string[]
  /** What it answers when all is well. */
  readonly good: object
  readonly parse: (reply: replies.UpstreamReply, secrets: readonly string[]) => unknown
}

const appId = 'cli_a'
const minted = (field: string) => ({ code: 0, msg: 'success', [field]: 'a-token', expire: 7140 })
const endpoints: readonly Endpoint[] = [
  {
    name: 'app token',
    request: requests.buildAppAccessTokenRequest({ appId, appSecret, appTicket }),
    good: minted('app_access_token'),
    secrets: [appSecret, appTicket],
    parse: replies.parseAppAccessTokenReply,
  },
  {
    name: 'tenant token',
    request: requests.buildTenantAccessTokenRequest({ appAccessToken, tenantKey: 't' }),
    good: minted('tenant_access_token'),
    secrets: [appAccessToken],
    parse: replies.parseTenantAccessTokenReply,
  },
  {
    name: 'custom app',
    request: requests.buildCustomAppTokensRequest({ appId, appSecret }),
    good: { ...minted('app_access_token'), tenant_access_token: 't-token' },
    secrets: [appSecret],
    parse: replies.parseCustomAppTokensReply,
  },
  {
    name: 'resend',
    request: requests.buildAppTicketResendRequest({ appId, appSecret }),
    good: { code: 0, msg: 'success' },
    secrets: [appSecret],
    parse: replies.parseAppTicketResendReply,
  },
  {
    name: 'user token',
    request: requests.buildUserTokenRequest({ appId, appSecret, refreshToken }),
    good: {
      ...{ code: 0, access_token: 'u', expires_in: 7200, refresh_token: 'r', refresh_token_expires_in: 604_800 },
      ...{ token_type: 'Bearer', scope: 'offline_access' },
    },
    secrets: [appSecret, refreshToken],
    parse: (reply, secrets) => replies.parseUserTokenReply('refreshing', reply, secrets),
  },
  {
    name: 'jsapi ticket',
    request: requests.buildJsapiTicketRequest({ tenantAccessToken }),
    good: { code: 0, msg: 'ok', data: { expire_in: 7200, ticket: 'ticket' } },
    secrets: [tenantAccessToken],
    parse: replies.parseJsapiTicketReply,
  },
]

let unhandled = (): unknown[] => []
beforeAll(() => {
  unhandled = watchRejections()
})
afterAll(() => expect(unhandled()).toEqual([]))

/** What came out of a reply: lives that a timer can count, text, and nothing else. */
function expectBelievable(result: unknown): void {
  if (result === undefined) return
  for (const [name, value] of Object.entries(result as object)) {
    if (name === 'refreshExpiresInMs') expect(value >= 0 && value <= 400 * DAY && Number.isSafeInteger(value)).toBe(true)
    else if (name.endsWith('InMs')) expect(value > 0 && value <= DAY && Number.isSafeInteger(value)).toBe(true)
    else if (name === 'scope') expect(value).toEqual(expect.any(String))
    else expect(value).toMatch(/./su)
  }
}

/** The same document as the upstream would answer it, with an error in it now and then that quotes what it was sent. */
const document = ({ good, secrets }: Endpoint) =>
  fc.oneof(
    fc.constant(good),
    fc
      .record({
        code: fc.constantFrom(10003, 10012, 10014, 20037, 20050, 99991400, 99991663, 99991668, 12345, -1, 0),
        msg: fc.constantFrom(
          '',
          'bad',
          ...secrets.map((secret) => `bad ${secret} ${Buffer.from(secret).toString('base64')}`),
          'x'.repeat(70_000),
        ),
        error: fc.constantFrom('invalid_grant', ...secrets),
        error_description: fc.constantFrom('expired', ...secrets),
      })
      .map((failure) => ({ ...good, ...failure })),
  )

const headersOf = (secrets: readonly string[]) =>
  fc.dictionary(
    fc.constantFrom('x-tt-logid', 'x-request-id', 'x-ogw-ratelimit-reset', 'retry-after', 'location'),
    fc.oneof(
      fc.constantFrom(
        '',
        ' ',
        '0',
        '-1',
        '1e3',
        '40',
        '0.001',
        '9'.repeat(400),
        'NaN',
        'Infinity',
        'Wed, 21 Oct 2026 07:28:00 GMT',
        '１',
        '0x10',
      ),
      fc.constantFrom(...secrets),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.array(fc.constantFrom('1', 'a', ...secrets), { maxLength: 3 }),
      fc.constant(undefined),
    ),
  )
const status = fc.oneof(fc.constantFrom(200, 200, 200, 400, 401, 429, 500, 502, 302, 204), fc.integer({ min: 100, max: 999 }))

describe.each(endpoints)('a reply for the $name', (endpoint) => {
  const { good, parse, request, secrets } = endpoint
  test(
    'of any kind gives what can be used or a TokenError without a secret',
    () => {
      fc.assert(
        fc.property(mutated(document(endpoint)), headersOf(secrets), status, (body, head, code) => {
          let result: unknown
          try {
            result = parse({ status: code, headers: head, body }, secrets)
          } catch (error) {
            expect(expectHarmless(error, secrets).upstream?.msg?.length ?? 0).toBeLessThanOrEqual(200)
            return
          }
          expectBelievable(result)
        }),
        { ...runs(400), examples: [[Buffer.from(JSON.stringify(good)), {}, 200]] },
      )
      parse({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(good)) }, secrets)
    },
    PATIENCE_MS,
  )

  test(
    'over the network, in time, however it is sent, and the next one is good',
    async () => {
      let exchange: Exchange = () => []
      const { url } = await serveRaw(() => exchange)
      const http = createHttp({ baseUrl: url })
      onTestFinished(() => http.close())
      const ask = async () => parse(await http.post(request, { signal: AbortSignal.timeout(DEADLINE_MS) }), secrets)
      await fc.assert(
        fc.asyncProperty(sent(mutated(document(endpoint)), secrets), async (hostile) => {
          exchange = hostile
          const start = performance.now()
          try {
            expectBelievable(await ask())
          } catch (error) {
            expectHarmless(error, secrets)
          }
          expect(performance.now() - start).toBeLessThan(DEADLINE_MS + 5_000)
          exchange = wellSent(JSON.stringify(good))
          await ask().catch((error: unknown) => {
            // A connection that was poisoned takes one request down with it, at most.
            expectHarmless(error, secrets)
            return ask()
          })
        }),
        runs(15),
      )
    },
    PATIENCE_MS,
  )
})

/** Long enough for an answer on a busy machine, short enough for a hundred that never come. */
const DEADLINE_MS = 400

function wellSent(body: string | Buffer): Exchange {
  return () => [
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    body,
  ]
}

/** A reply on its way: head and body, cut, padded, compressed, dripped, or torn down. */
function sent(bodies: fc.Arbitrary<Buffer>, secrets: readonly string[]): fc.Arbitrary<Exchange> {
  const line = fc.oneof(
    { weight: 6, arbitrary: status.map((code) => `HTTP/1.1 ${code} X`) },
    fc.constantFrom(
      'HTTP/1.0 200 OK',
      'HTTP/2 200',
      'HTTP/1.1 999999 X',
      'HTTP/1.1',
      'ICY 200 OK',
      '',
      '\0',
      `HTTP/1.1 200 ${'x'.repeat(20_000)}`,
    ),
  )
  const head = fc.array(
    fc.oneof(
      fc.constantFrom('Content-Type: text/html', 'Content-Type: application/json; charset=utf-16', 'Connection: close', 'Set-Cookie: a=b'),
      fc.constantFrom(
        ...secrets.map((secret) => `X-Tt-Logid: ${secret}`),
        `X-Request-Id: ${'z'.repeat(3_000)}`,
        'Retry-After: 1e999',
        'X-Ogw-Ratelimit-Reset: -5',
      ),
      fc.constantFrom('Upgrade: websocket', 'Trailer: x', 'No colon', ': empty', 'X-A: \u0001', 'X-É: é', 'Content-Encoding: br'),
      fc.constantFrom(20, 300, 3_000).map((count) => Array.from({ length: count }, (_, index) => `X-${index}: ${index}`).join('\r\n')),
    ),
    { maxLength: 3 },
  )
  const framing = fc.constantFrom<(body: Buffer) => readonly (string | Buffer)[]>(
    (body) => [`Content-Length: ${body.length}\r\n\r\n`, body],
    (body) => [`Content-Length: ${body.length + 10}\r\n\r\n`, body],
    (body) => [`Content-Length: ${Math.floor(body.length / 2)}\r\n\r\n`, body],
    (body) => [`Content-Length: ${body.length}\r\nContent-Length: 3\r\n\r\n`, body],
    (body) => ['Content-Length: -7\r\n\r\n', body],
    (body) => ['Content-Length: 99999999999999999999\r\n\r\n', body],
    (body) => ['\r\n', body],
    (body) => [`Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'],
    (body) => [
      'Transfer-Encoding: chunked\r\n\r\n',
      ...[...body.subarray(0, 200)].map((byte) => Buffer.from([0x31, 13, 10, byte, 13, 10])),
      '0\r\n\r\n',
    ],
    (body) => ['Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n', body],
    (body) => [`Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)};${'e'.repeat(20_000)}\r\n`, body, '\r\n0\r\n\r\n'],
    (body) => [`Transfer-Encoding: chunked\r\nContent-Length: ${body.length}\r\n\r\n`, body],
    (body) => [`Content-Encoding: gzip\r\nContent-Length: ${gzipSync(body).length}\r\n\r\n`, gzipSync(body)],
    () => ['Content-Encoding: gzip\r\n\r\n', gzipSync(Buffer.alloc(20_000_000))],
    (body) => [`Content-Length: ${body.length}\r\n\r\n`, body, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    () => ['\r\n', Buffer.alloc(BODY_LIMIT + 1, ' ')],
    () => ['\r\n', ...Array.from({ length: 100 }, () => Buffer.alloc(BODY_LIMIT, '['))],
    (body) => ['HTTP/1.1 100 Continue\r\n\r\n', `Content-Length: ${body.length}\r\n\r\n`, body],
  )
  const manner = fc.constantFrom<'end' | 'leave' | 'reset' | 'drip' | 'hang'>('end', 'end', 'end', 'end', 'leave', 'reset', 'drip')
  const cut = fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.constantFrom(0, 0.1, 0.5, 0.9))
  return fc.tuple(line, head, framing, bodies, manner, cut).map(([first, lines, frame, body, how, share]): Exchange => {
    return () => {
      const bytes = Buffer.concat(
        [`${[first, ...lines].join('\r\n')}\r\n`, ...frame(body)].map((each) => (typeof each === 'string' ? Buffer.from(each) : each)),
      )
      const kept = bytes.subarray(0, Math.ceil(bytes.length * share))
      if (how === 'drip') return [...Array.from({ length: 40 }, (_, index) => kept.subarray(index * 20, index * 20 + 20)), 'reset']
      return [kept, how]
    }
  })
}

test.each<readonly [string, (size: number) => readonly [string, object]]>([
  ['a msg that is all tokens', (size) => ['ab'.repeat(size / 4), { app_access_token: 'ab', tenant_access_token: 'ba' }]],
  ['many tokens', (size) => ['ab'.repeat(size / 4), { access_token: 'a'.repeat(size / 16), refresh_token: `${'ab'.repeat(size / 16)}c` }]],
  ['control characters', (size) => ['\u0007'.repeat(size / 8), {}]],
  ['halves of characters', (size) => ['\ud800'.repeat(size / 8), {}]],
])(
  'a reply takes no more than its share of time for %s',
  (_, make) => {
    expectLinear((size) => {
      const [msg, fields] = make(size)
      const reply = {
        status: 200,
        headers: { 'x-tt-logid': msg.slice(0, 16_000) },
        body: Buffer.from(JSON.stringify({ code: 7, msg, ...fields })),
      }
      return () => {
        expect(() => replies.parseAppAccessTokenReply(reply, [appSecret])).toThrow()
      }
    }, BODY_LIMIT / 4)
  },
  60_000,
)
