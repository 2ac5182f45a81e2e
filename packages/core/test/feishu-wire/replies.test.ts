import { describe, expect, test } from 'vitest'
import { isTokenError, type TokenError } from '../../src/errors.ts'
import { parseAppAccessTokenReply, parseAppTicketResendReply, type UpstreamReply } from '../../src/feishu/replies.ts'
import { UPSTREAM_CODES } from '../../src/feishu/upstream-codes.ts'

const SECRETS = ['dskLLdkasdjlasdKK', 'dskLLdkasd']

function reply(body: unknown, status = 200, headers: UpstreamReply['headers'] = {}): UpstreamReply {
  return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }
}

function errorOf(
  answer: UpstreamReply,
  parse: (answer: UpstreamReply, secrets: readonly string[]) => unknown = parseAppAccessTokenReply,
): TokenError {
  try {
    parse(answer, SECRETS)
  } catch (error) {
    if (isTokenError(error)) return error
    throw error
  }
  throw new Error('expected a TokenError')
}

const token = { code: 0, msg: 'success', app_access_token: 'a-6U1SbDiM6XIH2DcTCPyeub', expire: 7140 }

describe('a reply with a token', () => {
  test('the documented example gives the token and its life in milliseconds', () => {
    const body = '{"code":0,"msg":"success","app_access_token":"a-6U1SbDiM6XIH2DcTCPyeub","expire":7140}'
    expect(parseAppAccessTokenReply(reply(body), SECRETS)).toEqual({ value: 'a-6U1SbDiM6XIH2DcTCPyeub', expiresInMs: 7_140_000 })
  })

  test('code 0 counts on any status that is the platform’s own', () => {
    for (const status of [200, 201, 400, 500]) expect(parseAppAccessTokenReply(reply(token, status), []).expiresInMs).toBe(7_140_000)
  })

  test('the shape and length of a token are not judged', () => {
    const jwt = `eyJ${'x'.repeat(4_000)}`
    expect(parseAppAccessTokenReply(reply({ ...token, app_access_token: jwt, expire: 0.5 }), [])).toEqual({ value: jwt, expiresInMs: 500 })
  })

  test.each([
    ['no token', { code: 0, expire: 7140 }],
    ['an empty token', { ...token, app_access_token: '' }],
    ['a token that is no text', { ...token, app_access_token: 17 }],
    ['no expire', { code: 0, app_access_token: 'a' }],
    ['expire as text', { ...token, expire: '7140' }],
    ['expire null', { ...token, expire: null }],
    ['expire beyond a day', { ...token, expire: 86_401 }],
    ['expire without end', '{"code":0,"app_access_token":"a-6U1SbDiM6XIH2DcTCPyeub","expire":1e999}'],
  ])('%s is an invalid reply', (_, body) => {
    const error = errorOf(reply(body))
    expect(error).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY', retryable: true, upstream: { code: 0, httpStatus: 200 } })
    expect(error.message).not.toContain('a-6U1SbDiM6XIH2DcTCPyeub')
  })

  test.each([0, -1, 0.0001])('expire %d is a token that has already expired', (expire) => {
    expect(errorOf(reply({ ...token, expire }))).toMatchObject({
      code: 'UPSTREAM_INVALID_REPLY',
      message: expect.stringContaining('already expired'),
    })
  })
})

describe('a reply with a code', () => {
  test.each([...UPSTREAM_CODES])('%i is classified the same on every status', (code, meaning) => {
    for (const status of [200, 302, 400, 403, 429, 500]) {
      const error = errorOf(reply({ code, msg: 'because' }, status))
      expect(error).toMatchObject({
        code: meaning.code,
        retryable: meaning.retryable,
        upstream: { code, msg: 'because', httpStatus: status },
      })
      expect(error.message).toContain(meaning.advice)
    }
  })

  // Written down a second time, from what is known of the platform: a code that is left out, or put into another row, must not go unnoticed.
  test.each([
    ['TICKET_REJECTED', true, 'app-ticket', [10012]],
    ['CONFIGURATION_REJECTED', false, undefined, [10003, 10014, 20002, 99991543]],
    ['TOKEN_REJECTED', true, 'token', [99991663, 99991664, 99991671, 99991665, 10013]],
    ['TOKEN_REJECTED', true, 'user-token', [99991668, 99991677]],
    ['REAUTHORIZATION_REQUIRED', false, 'refresh-token', [20026, 20037, 20064, 20073]],
    ['REAUTHORIZATION_REQUIRED', false, undefined, [20003, 20004, 20065]],
    ['RATE_LIMITED', true, undefined, [99991400]],
    ['UPSTREAM_UNAVAILABLE', true, undefined, [20050, 20072, 2200]],
    ['UPSTREAM_REFUSED', false, undefined, [99991662, 99991673, 99991672, 99991676, 99991679]],
  ])('%s, retryable %j, condemning %j, is what %j mean', (code, retryable, condemns, codes) => {
    const rows = [...UPSTREAM_CODES].filter(([, row]) => row.code === code && row.condemns === condemns)
    expect(rows.map(([number]) => number).sort()).toEqual([...codes].sort())
    expect(rows.map(([, row]) => row.retryable)).toEqual(codes.map(() => retryable))
  })

  test('a void ticket can be retried with another one; a wrong secret cannot', () => {
    expect(errorOf(reply({ code: 10012, msg: 'app_ticket invalid' }))).toMatchObject({ code: 'TICKET_REJECTED', retryable: true })
    expect(errorOf(reply({ code: 10014, msg: 'app secret invalid' }, 400))).toMatchObject({
      code: 'CONFIGURATION_REJECTED',
      retryable: false,
    })
  })

  test('an unknown code is refused for good, but on a 5xx it is a fault that passes', () => {
    expect(errorOf(reply({ code: 4711, msg: 'new' }))).toMatchObject({
      code: 'UPSTREAM_REFUSED',
      retryable: false,
      upstream: { code: 4711, msg: 'new' },
    })
    expect(errorOf(reply({ code: 4711, msg: 'new' }, 502))).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', retryable: true })
  })

  test('the log id comes from X-Tt-Logid, else from X-Request-Id', () => {
    const body = { code: 10012, msg: 'no' }
    expect(errorOf(reply(body, 200, { 'X-Tt-Logid': 'log-1', 'x-request-id': 'req-1' })).upstream?.logId).toBe('log-1')
    expect(errorOf(reply(body, 200, { 'x-request-id': ['req-1', 'req-2'] })).upstream?.logId).toBe('req-1')
    expect(errorOf(reply(body))).toMatchObject({ upstream: { code: 10012, msg: 'no', httpStatus: 200 } })
    expect(errorOf(reply(body)).upstream).not.toHaveProperty('logId')
  })

  test('a resend is accepted by code 0 alone and fails like a mint', () => {
    expect(parseAppTicketResendReply(reply({ code: 0, msg: 'ok' }), SECRETS)).toBeUndefined()
    expect(errorOf(reply({ code: 10003 }), parseAppTicketResendReply)).toMatchObject({ code: 'CONFIGURATION_REJECTED', retryable: false })
    expect(errorOf(reply({ msg: 'ok' }), parseAppTicketResendReply)).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY' })
  })
})

describe('throttling', () => {
  const throttled = (headers: UpstreamReply['headers']) => errorOf(reply({ code: 99991400, msg: 'slow down' }, 400, headers))

  test('the header of the platform says for how many seconds, else Retry-After', () => {
    expect(throttled({ 'x-ogw-ratelimit-reset': '2' })).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 2_000 })
    expect(throttled({ 'x-ogw-ratelimit-reset': '2', 'retry-after': '9' }).retryAfterMs).toBe(2_000)
    expect(throttled({ 'x-ogw-ratelimit-reset': 'soon', 'retry-after': '0.5' }).retryAfterMs).toBe(500)
  })

  test('HTTP 429 needs no body', () => {
    expect(errorOf(reply('', 429, { 'retry-after': '3' }))).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 3_000 })
    expect(errorOf(reply({ code: 4711 }, 429))).toMatchObject({ code: 'RATE_LIMITED' })
  })

  test.each([undefined, '', '0', '-1', 'NaN', 'Infinity', '1e3', '0x10', 'Wed, 21 Oct 2026 07:28:00 GMT'])(
    'a reset of %s says nothing',
    (reset) => {
      expect(throttled({ 'x-ogw-ratelimit-reset': reset }).retryAfterMs).toBeUndefined()
    },
  )

  test('nobody is sent away for more than an hour', () => {
    expect(throttled({ 'x-ogw-ratelimit-reset': '86400' }).retryAfterMs).toBe(3_600_000)
    expect(throttled({ 'x-ogw-ratelimit-reset': '9'.repeat(400) }).retryAfterMs).toBe(3_600_000)
  })
})

describe('a reply that is not the platform’s', () => {
  test.each([
    ['an empty body', '', 200, 'UPSTREAM_INVALID_REPLY', 'an empty body'],
    ['an HTML page', '<html>login</html>', 200, 'UPSTREAM_INVALID_REPLY', 'an HTML page of 18 bytes'],
    ['an HTML page with 404', '\n<!doctype html>', 404, 'UPSTREAM_INVALID_REPLY', 'HTTP 404'],
    ['truncated JSON', '{"code":0,"app_access_token":"a-6U1SbDiM6XIH2', 200, 'UPSTREAM_INVALID_REPLY', 'not a JSON object'],
    ['an array', '[]', 200, 'UPSTREAM_INVALID_REPLY', 'not a JSON object'],
    ['no code', '{"msg":"ok"}', 200, 'UPSTREAM_INVALID_REPLY', 'code is nothing'],
    ['a code as text', '{"code":"0","app_access_token":"a","expire":1}', 200, 'UPSTREAM_INVALID_REPLY', 'code is string'],
    ['a fractional code', '{"code":0.5}', 200, 'UPSTREAM_INVALID_REPLY', 'code is number'],
    ['a page with 502', '<html>Bad Gateway</html>', 502, 'UPSTREAM_UNAVAILABLE', 'HTTP 502'],
    ['nothing with 503', '', 503, 'UPSTREAM_UNAVAILABLE', 'HTTP 503'],
  ])('%s', (_, body, status, code, message) => {
    const error = errorOf(reply(body, status))
    expect(error).toMatchObject({ code, retryable: true, message: expect.stringContaining(message), upstream: { httpStatus: status } })
    expect(error.cause).toBeUndefined()
  })

  test('a redirect is not followed with a secret, whatever its body says', () => {
    for (const body of ['', token]) {
      expect(errorOf(reply(body, 302, { location: 'https://elsewhere' }))).toMatchObject({
        code: 'UPSTREAM_INVALID_REPLY',
        message: expect.stringContaining('Redirects are not followed'),
      })
    }
  })
})

describe('secrets', () => {
  const everything = (error: TokenError) => JSON.stringify([error.message, error.stack, error.upstream, error.cause])

  test('a msg and a log id that echo a secret are scrubbed', () => {
    const msg = `bad secret dskLLdkasdjlasdKK (${Buffer.from('dskLLdkasdjlasdKK').toString('base64')}) ticket dskLLdkasd`
    const error = errorOf(reply({ code: 10014, msg }, 400, { 'x-tt-logid': 'log-dskLLdkasd' }))
    expect(error.upstream).toMatchObject({ msg: 'bad secret *** (***) ticket ***', logId: 'log-***' })
    expect(everything(error)).not.toMatch(/dskLL|ZHNrTEx/)
  })

  test('a token beside the msg is scrubbed from it', () => {
    const error = errorOf(
      reply({ code: 7, msg: 'had t-secret-1 and t-secret-2', app_access_token: 't-secret-1', tenant_access_token: 't-secret-2' }),
    )
    expect(everything(error)).not.toContain('t-secret')
  })

  test('a msg is cut at 200 characters after it was scrubbed, and cannot forge a log line', () => {
    const { msg = '' } = errorOf(reply({ code: 7, msg: `${'é'.repeat(195)}dskLLdkasdjlasdKK` })).upstream ?? {}
    expect(msg).toBe(`${'é'.repeat(195)}***`)
    expect(errorOf(reply({ code: 7, msg: 'x'.repeat(10_000) })).upstream?.msg).toHaveLength(200)
    expect(errorOf(reply({ code: 7, msg: 'a\r\n\u001b[31m\u2028b' })).upstream?.msg).toBe('a [31m b')
  })

  test('a body that is not JSON is never quoted', () => {
    expect(everything(errorOf(reply('{"code":0,"app_access_token":"dskLLdkasd')))).not.toContain('dskLL')
  })
})
