import { createDecipheriv, createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type EventReading, type EventRules, MAX_EVENT_BYTES, readEvent } from '../../src/feishu/event.ts'
import { encrypt, push, sign, ticketEvent } from './pushed.ts'

const TOKEN = '41a9425ea7df4536a7623e38fa321bae'
const KEY = 'encrypt-key'
const open: EventRules = { appId: 'cli_slkdjalasdkjasd', verificationTokens: [TOKEN], encryptKeys: [] }
const sealed: EventRules = { ...open, encryptKeys: [KEY] }

const TICKET = { kind: 'ticket', ticket: 'dskLLdkasd', eventTime: 1_502_199_207_717_141, id: 'bc447199585340d1f3728d26b1c0297a' }
const CHALLENGE = { challenge: 'ajls384kdjx98XX', token: TOKEN, type: 'url_verification' }

/** Reads an event that was pushed in clear. */
function readOpen(event: unknown, rules: EventRules = open): EventReading {
  return readEvent({ headers: {}, body: Buffer.from(JSON.stringify(event)) }, rules)
}

function ticketV2(change: { header?: object; event?: object } = {}): unknown {
  return {
    schema: '2.0',
    header: {
      event_id: 'f7984f25',
      create_time: '1603977298000',
      token: TOKEN,
      app_id: open.appId,
      event_type: 'app_ticket',
      ...change.header,
    },
    event: { app_ticket: 'dskLLdkasd', ...change.event },
  }
}

describe('a ticket', () => {
  test('comes out of the documented event', () => {
    const body = `{"ts":"1502199207.7171419","uuid":"bc447199585340d1f3728d26b1c0297a","token":"${TOKEN}","type":"event_callback","event":{"app_id":"cli_slkdjalasdkjasd","app_ticket":"dskLLdkasd","type":"app_ticket"}}`
    expect(readEvent({ headers: {}, body: Buffer.from(body) }, open)).toEqual(TICKET)
  })

  test('comes out of the second format by its own field names', () => {
    expect(readOpen(ticketV2())).toEqual({ kind: 'ticket', ticket: 'dskLLdkasd', eventTime: 1_603_977_298_000_000, id: 'f7984f25' })
  })

  test('comes out of an encrypted and signed push, with headers of any shape', () => {
    const { headers, body } = push(ticketEvent(), KEY)
    expect(readEvent({ headers, body }, sealed)).toEqual(TICKET)
    expect(readEvent({ headers: new Headers(headers), body }, sealed)).toEqual(TICKET)
    expect(readEvent({ headers: new Map(Object.entries(headers)), body }, sealed)).toEqual(TICKET)
  })

  test.each([
    ['1502199207.7171419', 1_502_199_207_717_141],
    ['1502199207.7171419999', 1_502_199_207_717_141],
    ['1502199207.7', 1_502_199_207_700_000],
    ['1502199207', 1_502_199_207_000_000],
    ['9007199254.740991', Number.MAX_SAFE_INTEGER],
    ['0.000001', 1],
  ])('of ts %s has the time %i: digits, not floats', (ts, eventTime) => {
    expect(readOpen({ ...ticketEvent(), ts })).toEqual({ ...TICKET, eventTime })
  })

  test.each([
    undefined,
    null,
    1502199207.7,
    '',
    ' 1',
    '0',
    '0.0000009',
    '-1',
    '+1',
    '1.',
    '.5',
    '1e9',
    '0x10',
    'Infinity',
    '1,5',
    '１',
    '9007199254.740992',
    '1502199207717',
  ])('of ts %j is refused', (ts) => {
    expect(readOpen({ ...ticketEvent(), ts })).toMatchObject({ kind: 'refused', status: 400 })
  })

  test.each([undefined, 1603977298000, '', '0', '-5', 'soon', '9007199254741'])('of create_time %j is refused', (create_time) => {
    expect(readOpen(ticketV2({ header: { create_time } }))).toMatchObject({ kind: 'refused', status: 400 })
  })

  test.each([undefined, '', 7])('with uuid %j is refused', (uuid) => {
    expect(readOpen({ ...ticketEvent(), uuid })).toMatchObject({ status: 400, reason: expect.stringContaining('uuid') })
    expect(readOpen(ticketV2({ header: { event_id: uuid } }))).toMatchObject({ status: 400 })
  })

  test.each([
    ['a character that a database of text cannot hold', 'a\u0000b'],
    ['half a character', 'a\ud800'],
    ['no end', 'a'.repeat(10_001)],
  ])('is refused when it or its id has %s: no store could keep it, and it would be delivered for ever', (_, text) => {
    const event = { app_id: open.appId, app_ticket: text, type: 'app_ticket' }
    expect(readOpen({ ...ticketEvent(), event })).toMatchObject({ status: 400, reason: expect.stringContaining('stored') })
    expect(readOpen({ ...ticketEvent(), uuid: text })).toMatchObject({ status: 400, reason: expect.stringContaining('stored') })
  })

  test.each([undefined, '', null, { a: 1 }])('that is %j is refused', (app_ticket) => {
    expect(readOpen({ ...ticketEvent(), event: { app_id: open.appId, type: 'app_ticket', app_ticket } })).toMatchObject({ status: 400 })
    expect(readOpen(ticketV2({ event: { app_ticket } }))).toMatchObject({ status: 400 })
  })

  test.each([undefined, 'cli_other', '', 7, null])('for the app %j is refused', (app_id) => {
    expect(readOpen({ ...ticketEvent(), event: { app_id, type: 'app_ticket', app_ticket: 'x' } })).toMatchObject({ status: 403 })
    expect(readOpen(ticketV2({ header: { app_id } }))).toMatchObject({ status: 403 })
  })
})

describe('the verification token', () => {
  test.each([undefined, '', 'wrong', TOKEN.toUpperCase(), `${TOKEN} `, 7, null, [TOKEN]])('%j is refused', (token) => {
    expect(readOpen({ ...ticketEvent(), token })).toMatchObject({ kind: 'refused', status: 401 })
    expect(readOpen(ticketV2({ header: { token } }))).toMatchObject({ kind: 'refused', status: 401 })
    expect(readOpen({ ...CHALLENGE, token })).toMatchObject({ kind: 'refused', status: 401 })
  })

  test('may be any of several while it is being changed', () => {
    const rules = { ...open, verificationTokens: ['next', TOKEN] }
    expect(readOpen(ticketEvent(), rules)).toEqual(TICKET)
    expect(readOpen({ ...ticketEvent(), token: 'next' }, rules)).toEqual(TICKET)
  })

  test('is never matched when none is configured, and empty text never matches', () => {
    expect(readOpen(ticketEvent(), { ...open, verificationTokens: [] })).toMatchObject({ status: 401 })
    expect(readOpen({ ...ticketEvent(), token: '' }, { ...open, verificationTokens: [''] })).toMatchObject({ status: 401 })
  })

  test('of the second format is not looked for where the first has it', () => {
    expect(readOpen({ ...(ticketV2({ header: { token: 'wrong' } }) as object), token: TOKEN })).toMatchObject({ status: 401 })
  })
})

describe('the signature', () => {
  const { headers, body } = push(ticketEvent(), KEY)

  test.each([
    ['missing', {}],
    ['wrong', { ...headers, 'X-Lark-Signature': '0'.repeat(64) }],
    ['empty', { ...headers, 'X-Lark-Signature': '' }],
    ['cut short', { ...headers, 'X-Lark-Signature': String(headers['X-Lark-Signature']).slice(0, 32) }],
    ['over another time', { ...headers, 'X-Lark-Request-Timestamp': '1760000001' }],
    ['over another nonce', { ...headers, 'X-Lark-Request-Nonce': 'x' }],
    ['by another key', sign(body, 'other-key')],
  ])('%s is refused', (_, wrong) => {
    expect(readEvent({ headers: wrong, body }, sealed)).toMatchObject({ kind: 'refused', status: 401 })
  })

  test('is over the raw bytes: the same JSON written differently is refused', () => {
    const spaced = Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1))
    expect(readEvent({ headers, body: spaced }, sealed)).toMatchObject({ status: 401 })
    expect(readEvent({ headers: sign(spaced, KEY), body: spaced }, sealed)).toEqual(TICKET)
  })

  test('may be upper-case hex', () => {
    const upper = { ...headers, 'X-Lark-Signature': String(headers['X-Lark-Signature']).toUpperCase() }
    expect(readEvent({ headers: upper, body }, sealed)).toEqual(TICKET)
  })

  test('does not save an event that is not encrypted', () => {
    const clear = Buffer.from(JSON.stringify(ticketEvent()))
    expect(readEvent({ headers: sign(clear, KEY), body: clear }, sealed)).toMatchObject({ status: 401 })
  })

  test('unsigned, bad padding and bad content get one answer: a padding oracle would decrypt captured events', () => {
    const bodies = [push(ticketEvent(), KEY), push(ticketEvent(), 'other-key'), push({ ...CHALLENGE, token: 'wrong' }, KEY), push([], KEY)]
    const answers = bodies.map((each) => JSON.stringify(readEvent({ headers: {}, body: each.body }, sealed)))
    expect(new Set(answers).size).toBe(1)
  })
})

describe('encryption', () => {
  test('is tried with every key, also when a wrong one happens to fit the padding', () => {
    const event = push(ticketEvent(), KEY)
    const bytes = Buffer.from(encrypt(JSON.stringify(ticketEvent()), KEY), 'base64')
    const fits = (key: string) => {
      const decipher = createDecipheriv('aes-256-cbc', createHash('sha256').update(key).digest(), bytes.subarray(0, 16))
      decipher.update(bytes.subarray(16))
      try {
        return decipher.final().byteLength > 0
      } catch {
        return false
      }
    }
    const unlucky = Array.from({ length: 10_000 }, (_, i) => `key-${i}`).find(fits)
    expect(readEvent(event, { ...open, encryptKeys: [String(unlucky), KEY] })).toEqual(TICKET)
    expect(unlucky).toBeDefined()
  })

  const seal = (encrypted: unknown) => {
    const body = Buffer.from(JSON.stringify({ encrypt: encrypted }))
    return { headers: sign(body, KEY), body }
  }

  test('is the documented one', () => {
    const documented = 'P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk='
    expect(encrypt('hello world', 'test key', Buffer.from(documented, 'base64').subarray(0, 16))).toBe(documented)
  })

  test('may be with any of several keys while the key is being changed', () => {
    const rules = { ...open, encryptKeys: ['next-key', KEY] }
    expect(readEvent(push(ticketEvent(), KEY), rules)).toEqual(TICKET)
    expect(readEvent(push(ticketEvent(), 'next-key'), rules)).toEqual(TICKET)
    expect(readEvent(push(ticketEvent(), 'old-key'), rules)).toMatchObject({ status: 401 })
  })

  test.each([
    ['empty', ''],
    ['not base64', '!!!'],
    ['nothing but an initialisation vector', Buffer.alloc(16).toString('base64')],
    [
      'cut within a block',
      Buffer.from(encrypt(JSON.stringify(ticketEvent()), KEY), 'base64')
        .subarray(0, -1)
        .toString('base64'),
    ],
    [
      'cut between blocks',
      Buffer.from(encrypt(JSON.stringify(ticketEvent()), KEY), 'base64')
        .subarray(0, -16)
        .toString('base64'),
    ],
    ['of another key', encrypt(JSON.stringify(ticketEvent()), 'other-key')],
    ['of no JSON', encrypt('hello world', KEY)],
    ['of no UTF-8', encrypt(Buffer.from([0x7b, 0xff, 0x7d]), KEY)],
  ])('%s is refused as unreadable', (_, encrypted) => {
    expect(readEvent(seal(encrypted), sealed)).toMatchObject({ kind: 'refused', status: 400 })
  })

  test.each([undefined, 7, null, {}])('with encrypt = %j is not encryption', (encrypted) => {
    expect(readEvent(seal(encrypted), sealed)).toMatchObject({ status: 401 })
  })

  test('that nobody can undo says which option is missing', () => {
    expect(readEvent(push(ticketEvent(), KEY), open)).toMatchObject({ status: 400, reason: expect.stringContaining('events.encryptKey') })
  })
})

describe('a challenge', () => {
  test('is answered in clear when no encrypt key is configured', () => {
    expect(readOpen(CHALLENGE)).toEqual({ kind: 'challenge', challenge: 'ajls384kdjx98XX' })
  })

  test('needs no signature, but must be encrypted once a key is configured', () => {
    const { body } = push(CHALLENGE, KEY)
    expect(readEvent({ headers: {}, body }, sealed)).toEqual({ kind: 'challenge', challenge: 'ajls384kdjx98XX' })
    expect(readOpen(CHALLENGE, sealed)).toMatchObject({ status: 401 })
  })

  test.each([undefined, '', 7])('of %j is refused', (challenge) => {
    expect(readOpen({ ...CHALLENGE, challenge })).toMatchObject({ status: 400 })
  })
})

describe('any other event', () => {
  const message = { ...ticketEvent(), event: { app_id: open.appId, type: 'message', text: 'héllo 你好' } }

  test('comes out decrypted and whole', () => {
    expect(readOpen(message)).toEqual({ kind: 'other', event: message })
    expect(readEvent(push(message, KEY), sealed)).toEqual({ kind: 'other', event: message })
  })

  test('needs neither an id nor a time, nor an app id', () => {
    expect(readOpen({ token: TOKEN, type: 'event_callback', event: { type: 'message' } })).toMatchObject({ kind: 'other' })
    expect(readOpen({ token: TOKEN, event: 'text' })).toMatchObject({ kind: 'other' })
  })

  test('for another app is refused', () => {
    expect(readOpen({ ...message, event: { ...message.event, app_id: 'cli_other' } })).toMatchObject({ status: 403 })
    expect(readOpen(ticketV2({ header: { event_type: 'im.message.receive_v1', app_id: 'cli_other' } }))).toMatchObject({ status: 403 })
  })

  test('cannot change a prototype', () => {
    const body = Buffer.from(`{"token":"${TOKEN}","__proto__":{"admin":true},"event":{"__proto__":{"admin":true}}}`)
    const reading = readEvent({ headers: {}, body }, open)
    expect(Object.assign({}, reading.kind === 'other' ? reading.event : undefined)).not.toHaveProperty('admin')
    expect(reading).toEqual({ kind: 'other', event: { token: TOKEN, event: {} } })
  })
})

describe('a body', () => {
  test.each(['', 'null', '[]', '"x"', '{', '<html>', 'encrypt=1'])('of %j is refused', (body) => {
    expect(readEvent({ headers: {}, body: Buffer.from(body) }, open)).toMatchObject({ status: 400 })
    expect(readEvent({ headers: {}, body: Buffer.from(body) }, sealed)).toMatchObject({ status: 400 })
  })

  test('of more than 1 MiB is refused, one of just that size is read', () => {
    const padded = (size: number) => Buffer.from(JSON.stringify(ticketEvent()).padEnd(size))
    expect(readEvent({ headers: {}, body: padded(MAX_EVENT_BYTES) }, open)).toEqual(TICKET)
    expect(readEvent({ headers: {}, body: padded(MAX_EVENT_BYTES + 1) }, open)).toMatchObject({ status: 413 })
  })

  test('is not quoted in a refusal', () => {
    const reading = readOpen({ ...ticketEvent(), token: 'hunter2', uuid: 'hunter2' })
    expect(JSON.stringify(reading)).not.toContain('hunter2')
  })
})
