import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isTokenError, type TokenError } from '../../src/errors.ts'
import { readEvent } from '../../src/feishu/event.ts'
import { parseAppAccessTokenReply, parseAppTicketResendReply, type UpstreamReply } from '../../src/feishu/replies.ts'
import { encrypt, push, sign, ticketEvent } from './pushed.ts'

const SECRET = 'correct-horse-battery-staple'
const text = fc.string({ unit: 'binary' })
const foreign = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(SECRET), text)

const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  text.map((raw) => Buffer.from(raw)),
  fc
    .record(
      { code: fc.oneof(foreign, fc.constantFrom(0, 7, 10012, 99991400)), msg: foreign, app_access_token: foreign, expire: foreign },
      { requiredKeys: [] },
    )
    .chain((fields) => fc.nat(200).map((cut) => Buffer.from(JSON.stringify(fields)).subarray(0, cut === 0 ? undefined : 40 + cut))),
)
const headers = fc.dictionary(
  fc.constantFrom('x-tt-logid', 'X-Request-Id', 'x-ogw-ratelimit-reset', 'Retry-After'),
  fc.oneof(text, fc.constant(SECRET), fc.array(text), fc.nat().map(String), fc.constant(undefined)),
)
const reply: fc.Arbitrary<UpstreamReply> = fc.record({ status: fc.integer({ min: 200, max: 599 }), headers, body })

/** What a parser makes of a reply: its result, or the TokenError it threw. */
function outcome<T>(parse: (reply: UpstreamReply, secrets: readonly string[]) => T, hostile: UpstreamReply): T | TokenError {
  try {
    return parse(hostile, [SECRET])
  } catch (error) {
    if (isTokenError(error)) return error
    throw error
  }
}

function expectHarmless(error: TokenError): void {
  expect(JSON.stringify([error.message, error.stack, error.upstream])).not.toContain(SECRET)
  expect(error.cause).toBeUndefined()
  expect(error.upstream?.msg?.length ?? 0).toBeLessThanOrEqual(200)
  if (error.retryAfterMs === undefined) return
  expect(error.retryAfterMs).toBeGreaterThan(0)
  expect(error.retryAfterMs).toBeLessThanOrEqual(3_600_000)
}

describe('a hostile reply', () => {
  test('to a mint gives a usable token or a TokenError without the secret, and nothing else', () => {
    fc.assert(
      fc.property(reply, (hostile) => {
        const result = outcome(parseAppAccessTokenReply, hostile)
        if (isTokenError(result)) return expectHarmless(result)
        expect(result.value).not.toBe('')
        expect(result.expiresInMs).toBeGreaterThan(0)
        expect(result.expiresInMs).toBeLessThanOrEqual(86_400_000)
      }),
      { numRuns: 500 },
    )
  })

  test('to a resend gives nothing or a TokenError without the secret', () => {
    fc.assert(
      fc.property(reply, (hostile) => {
        const result = outcome(parseAppTicketResendReply, hostile)
        if (isTokenError(result)) expectHarmless(result)
        else expect(result).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })
})

const KEY = 'encrypt-key'
const rules = { appId: 'cli_slkdjalasdkjasd', verificationTokens: ['41a9425ea7df4536a7623e38fa321bae'], encryptKeys: [KEY] }
const open = { ...rules, encryptKeys: [] }

describe('a hostile event', () => {
  const object = fc.oneof(
    fc.dictionary(fc.constantFrom('encrypt', 'schema', 'type', 'token', 'ts', 'event', 'header', 'challenge', '__proto__'), foreign),
    foreign,
  )
  const bytes = fc.oneof(
    fc.uint8Array(),
    object.map((value) => Buffer.from(JSON.stringify(value) ?? '')),
  )

  test('without the verification token it is refused, encrypted or not, and nothing is thrown', () => {
    fc.assert(
      fc.property(bytes, headers, (raw, anyHeaders) => {
        expect(readEvent({ headers: anyHeaders, body: raw }, rules).kind).toBe('refused')
        expect(readEvent({ headers: anyHeaders, body: raw }, open).kind).toBe('refused')
      }),
      { numRuns: 500 },
    )
  })

  test('signed and encrypted, but without the verification token, it is refused', () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        const sealed = Buffer.from(JSON.stringify({ encrypt: encrypt(raw, KEY) }))
        expect(readEvent({ headers: sign(sealed, KEY), body: sealed }, rules).kind).toBe('refused')
      }),
    )
  })

  test('a ticket with any one byte changed is refused', () => {
    const { headers: signed, body: sealed } = push(ticketEvent(), KEY)
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const forged = Buffer.from(sealed)
        forged[at] = (forged[at] ?? 0) ^ change
        expect(readEvent({ headers: signed, body: forged }, rules).kind).toBe('refused')
      }),
    )
  })

  test('whatever is written into the fields of a verified ticket event, only a whole ticket comes out', () => {
    const fields = fc.record({ ts: foreign, uuid: foreign, app_ticket: foreign, app_id: fc.oneof(foreign, fc.constant(rules.appId)) })
    fc.assert(
      fc.property(fields, ({ ts, uuid, app_ticket, app_id }) => {
        const event = { ...ticketEvent(), ts, uuid, event: { type: 'app_ticket', app_ticket, app_id } }
        const reading = readEvent({ headers: {}, body: Buffer.from(JSON.stringify(event)) }, open)
        if (reading.kind === 'refused') return
        expect(reading).toMatchObject({ kind: 'ticket', ticket: app_ticket, id: uuid })
        expect(app_id).toBe(rules.appId)
      }),
    )
  })
})
