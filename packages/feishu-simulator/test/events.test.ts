import { createDecipheriv, createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { EventTimes } from '../src/event.ts'
import { callbackUrl, type Received } from './support/callback.ts'
import { APP, bench, HOUR, parse, RESEND, SEALED_APP, send, tokenOf } from './support/client.ts'

const TICKET = { app_id: 'cli_one', app_ticket: expect.any(String), type: 'app_ticket' }

function decrypt({ json }: Pick<Received, 'json'>, key: string) {
  const bytes = Buffer.from(String(json.encrypt), 'base64')
  const decipher = createDecipheriv('aes-256-cbc', createHash('sha256').update(key).digest(), bytes.subarray(0, 16))
  return parse(decipher.update(bytes.subarray(16), undefined, 'utf8') + decipher.final('utf8'))
}

describe('a pushed ticket', () => {
  it('arrives as a plain v1 event, and mints a token', async () => {
    const { sim, clock, mint } = await bench()
    const callback = await callbackUrl((response) => response.end('{"msg":"ok"}'))
    sim.setEventUrl('cli_one', callback.url)
    const attempt = await sim.pushTicket('cli_one')
    expect(attempt).toMatchObject({ status: 200, body: '{"msg":"ok"}', acknowledged: true, delivery: { state: 'acknowledged' } })
    expect(callback.received.map(({ json }) => json)).toEqual([
      {
        ts: `${clock.wall() / 1000}.000000`,
        uuid: attempt.delivery.uuid,
        token: 'verification-one',
        type: 'event_callback',
        event: { ...TICKET, app_ticket: attempt.delivery.ticket },
      },
    ])
    expect(callback.received[0]?.headers['x-lark-signature']).toBeUndefined()
    expect((await mint(attempt.delivery.ticket)).json.code).toBe(0)
  })

  it('arrives in the v2 schema where asked to', async () => {
    const { sim, clock } = await bench()
    const callback = await callbackUrl()
    sim.setEventUrl('cli_one', callback.url)
    const { delivery } = await sim.pushTicket('cli_one', { schema: 'v2' })
    expect(callback.received[0]?.json).toEqual({
      schema: '2.0',
      header: {
        event_id: delivery.uuid,
        token: 'verification-one',
        create_time: String(clock.wall()),
        event_type: 'app_ticket',
        app_id: 'cli_one',
      },
      event: { app_ticket: delivery.ticket },
    })
  })

  it('carries its time in whole milliseconds in the v2 schema', async () => {
    const { sim } = await bench()
    const createTime = (ts: string) => parse(sim.buildEvent('cli_one', { type: 'app_ticket' }, { schema: 'v2', ts }).body).header
    expect(createTime('1767225600.003000')).toMatchObject({ create_time: '1767225600003' })
    expect(createTime('1767225600.003999')).toMatchObject({ create_time: '1767225600003' })
    expect(createTime('no number')).toMatchObject({ create_time: 'no number' })
  })

  it('is encrypted and signed over its raw body when there is an encrypt key', async () => {
    const callback = await callbackUrl()
    const { sim, clock } = await bench({ apps: [{ ...SEALED_APP, eventUrl: callback.url }] })
    await sim.pushTicket('cli_one')
    const [event] = callback.received
    if (!event) throw new Error('nothing was received')
    expect(Object.keys(event.json)).toEqual(['encrypt'])
    expect(decrypt(event, 'encrypt-key-one')).toMatchObject({ type: 'event_callback', event: TICKET })
    const { 'x-lark-request-timestamp': timestamp, 'x-lark-request-nonce': nonce, 'x-lark-signature': signature } = event.headers
    expect(timestamp).toBe(String(clock.wall() / 1000))
    expect(signature).toBe(createHash('sha256').update(`${timestamp}${nonce}encrypt-key-one${event.text}`).digest('hex'))
  })

  it('is never encrypted with the same initialisation vector twice', async () => {
    const { sim } = await bench({ apps: [SEALED_APP] })
    const build = () => sim.buildEvent('cli_one', { type: 'app_ticket', app_ticket: 'same' }, { uuid: 'same', ts: '1.000000' })
    expect(build().body).not.toBe(build().body)
    expect(decrypt({ json: parse(build().body) }, 'encrypt-key-one')).toEqual(decrypt({ json: parse(build().body) }, 'encrypt-key-one'))
  })

  it('carries times that increase strictly, also within one moment', async () => {
    const { sim, clock } = await bench()
    const callback = await callbackUrl()
    sim.setEventUrl('cli_one', callback.url)
    for (let pushed = 0; pushed < 3; pushed += 1) await sim.pushTicket('cli_one')
    clock.advance(1)
    await sim.pushTicket('cli_one')
    const seconds = clock.wall() / 1000
    const [base] = String(seconds).split('.')
    expect(callback.received.map(({ json }) => json.ts)).toEqual([`${base}.000000`, `${base}.000001`, `${base}.000002`, `${base}.001000`])
  })

  it('writes its time with six decimals from the first second on', () => {
    const times = new EventTimes()
    expect([0, 0, 1.5, 1000].map((ms) => times.next(ms))).toEqual(['0.000001', '0.000002', '0.001500', '1.000000'])
  })

  it('can be forged in every part', async () => {
    const callback = await callbackUrl()
    const { sim, mint } = await bench({ apps: [{ ...SEALED_APP, eventUrl: callback.url }] })
    const forged = {
      ticket: 'forged',
      token: 'wrong',
      appId: 'cli_other',
      uuid: 'uuid-1',
      ts: '1502199207.7171419',
      encrypted: false,
      signed: false,
    }
    await sim.pushTicket('cli_one', forged)
    expect(callback.received[0]?.json).toEqual({
      ts: '1502199207.7171419',
      uuid: 'uuid-1',
      token: 'wrong',
      type: 'event_callback',
      event: { app_id: 'cli_other', app_ticket: 'forged', type: 'app_ticket' },
    })
    expect((await mint('forged')).json.code).toBe(10012)
  })

  it('is acknowledged by HTTP status 200 alone', async () => {
    const { sim } = await bench()
    const callback = await callbackUrl((response) => response.writeHead(204).end())
    sim.setEventUrl('cli_one', callback.url)
    expect(await sim.pushTicket('cli_one')).toMatchObject({ status: 204, acknowledged: false, delivery: { state: 'pending' } })
    expect(sim.counters('cli_one').tickets).toEqual({ pushed: 1, acknowledged: 0, refused: 1 })
  })

  it('says so when there is nowhere to push it to', async () => {
    const { sim } = await bench()
    const attempt = await sim.pushTicket('cli_one')
    expect(attempt).toMatchObject({ acknowledged: false, body: '', error: expect.stringMatching(/no event URL/) })
    expect(attempt.status).toBeUndefined()
  })
})

describe('a schedule', () => {
  it('pushes a new ticket every hour', async () => {
    const callback = await callbackUrl()
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }], pushTickets: 'scheduled' })
    for (let hour = 1; hour <= 3; hour += 1) {
      const delivered = sim.next('delivery')
      clock.advance(HOUR)
      await delivered
    }
    const tickets = callback.received.map(({ json }) => json.event)
    expect(tickets).toEqual([TICKET, TICKET, TICKET])
    expect(new Set(tickets.map((event) => JSON.stringify(event))).size).toBe(3)
    expect(sim.counters().tickets).toEqual({ pushed: 3, acknowledged: 3, refused: 0 })
  })
})

describe('POST /open-apis/auth/v3/app_ticket/resend', () => {
  it('replies without a ticket and pushes a new one', async () => {
    const { sim, mint, resend } = await bench()
    const callback = await callbackUrl()
    sim.setEventUrl('cli_one', callback.url)
    const delivered = sim.next('delivery')
    expect((await resend()).json).toEqual({ code: 0, msg: 'success' })
    const { delivery } = await delivered
    expect(callback.received[0]?.json.event).toEqual({ ...TICKET, app_ticket: delivery.ticket })
    expect((await mint(delivery.ticket)).json.code).toBe(0)
    expect(sim.counters('cli_one')).toMatchObject({ resends: 1, tickets: { pushed: 1, acknowledged: 1 } })
  })

  it('pushes the newest valid ticket again where told to', async () => {
    const { sim, resend } = await bench({ behaviour: { resend: 'same' } })
    const newest = sim.issueTicket('cli_one')
    const pushed = async () => {
      const delivered = sim.next('delivery')
      await resend()
      return (await delivered).delivery.ticket
    }
    expect(await pushed()).toBe(newest)
    sim.invalidateTicket('cli_one')
    expect(await pushed()).not.toBe(newest)
  })

  it('pushes later on the clock where told to', async () => {
    const { sim, clock, resend } = await bench({ behaviour: { resendDelayMs: 5000 } })
    await resend()
    clock.advance(4999)
    expect(sim.counters().tickets.pushed).toBe(0)
    const delivered = sim.next('delivery')
    clock.advance(1)
    expect((await delivered).delivery.type).toBe('app_ticket')
  })

  it('pushes nothing for a wrong secret', async () => {
    const { sim, post } = await bench()
    const reply = await post(RESEND, { app_id: 'cli_one', app_secret: 'wrong' })
    expect(reply.json.code).toBe(10014)
    expect(sim.counters()).toMatchObject({ resends: 0, tickets: { pushed: 0 } })
  })
})

describe('other pushes', () => {
  it('send a challenge that is acknowledged by its echo', async () => {
    const callback = await callbackUrl((response, event) =>
      response.end(JSON.stringify({ challenge: decrypt(event, 'encrypt-key-one').challenge })),
    )
    const { sim } = await bench({ apps: [{ ...SEALED_APP, eventUrl: callback.url }] })
    expect(await sim.pushChallenge('cli_one')).toMatchObject({ status: 200, acknowledged: true })
    expect(decrypt(callback.received[0] ?? { json: {} }, 'encrypt-key-one')).toEqual({
      challenge: expect.any(String),
      token: 'verification-one',
      type: 'url_verification',
    })
  })

  it('do not send a challenge again that is not echoed', async () => {
    const { sim, clock } = await bench()
    const callback = await callbackUrl((response) => response.end('{"challenge":"another"}'))
    sim.setEventUrl('cli_one', callback.url)
    expect(await sim.pushChallenge('cli_one')).toMatchObject({ status: 200, acknowledged: false })
    expect(clock.pending).toBe(0)
  })

  it('send events of any type', async () => {
    const { sim } = await bench()
    const callback = await callbackUrl()
    sim.setEventUrl('cli_one', callback.url)
    await sim.pushEvent('cli_one', { type: 'app_open', tenant_key: 'tenant-1' })
    expect(callback.received[0]?.json.event).toEqual({ type: 'app_open', app_id: 'cli_one', tenant_key: 'tenant-1' })
    expect(sim.counters().tickets.pushed).toBe(0)
  })

  it('can be built for a test to send itself', async () => {
    const { sim } = await bench({ apps: [SEALED_APP] })
    const callback = await callbackUrl()
    const { headers, body } = sim.buildEvent('cli_one', { type: 'app_ticket', app_ticket: 'by hand' }, { encrypted: false })
    await send(callback.url, { method: 'POST', headers, body })
    expect(callback.received[0]).toMatchObject({
      text: body,
      headers: { 'x-lark-signature': headers['X-Lark-Signature'] },
      json: { event: { app_ticket: 'by hand' } },
    })
  })

  it('need an encrypt key to be signed or encrypted', async () => {
    const { sim, mint } = await bench()
    const build = (form: object) => () => sim.buildEvent('cli_one', { type: 'app_ticket' }, form)
    expect(build({ signed: true })).toThrow(/needs an encryptKey/)
    expect(build({ encrypted: true })).toThrow(TypeError)
    expect(build({ encrypted: true, encryptKey: 'another' })).not.toThrow()
    expect(tokenOf(await mint())).toMatch(/^a-/)
  })
})
