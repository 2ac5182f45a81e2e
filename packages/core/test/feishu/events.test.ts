import type { IncomingMessage, ServerResponse } from 'node:http'
import { createNodeEventHandler, createWebEventHandler, type EventHandlerOptions, type FeishuTokens } from '@tokenwell/core/feishu'
import type { CallbackRequest } from '@tokenwell/feishu-simulator'
import { describe, expect, test } from 'vitest'
import { errorOf, randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'
import { encrypt, sign } from '../feishu-wire/pushed.ts'
import { createWorld, HOUR, listen, MINUTE, type Node, type Posted, post, recordOf, ticketsSent, type World } from '../support/world.ts'

type Kind = 'node' | 'web'
const KINDS: readonly Kind[] = ['node', 'web']

/** The endpoint of a node behind one of the two handlers; a body that a handler may not read twice goes through untouched. */
async function endpoint(kind: Kind, tokens: FeishuTokens, options: EventHandlerOptions = {}): Promise<string> {
  if (kind === 'node') {
    const handle = createNodeEventHandler(tokens, options)
    return listen((request, response) => void handle(request, response))
  }
  const handle = createWebEventHandler(tokens, options)
  return listen((request, response) => void viaFetchApi(handle, request, response))
}

async function viaFetchApi(handle: (request: Request) => Promise<Response>, incoming: IncomingMessage, outgoing: ServerResponse) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      incoming.on('data', (chunk: Uint8Array) => controller.enqueue(chunk))
      incoming.on('end', () => controller.close())
      incoming.on('error', () => {})
    },
    cancel() {
      incoming.removeAllListeners('data').removeAllListeners('end').pause()
    },
  })
  const headers = Object.entries(incoming.headers).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  const request = new Request('http://localhost/events', { method: 'POST', headers, body, duplex: 'half' })
  const response = await handle(request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text())
}

interface Receiver extends World {
  readonly receiving: Node
  /** Sends a request to the endpoint; records what was answered. */
  send(request: CallbackRequest): Promise<Posted>
  ticketEvent(form?: Parameters<World['simulator']['buildEvent']>[2]): CallbackRequest
  /** What is stored of any ticket. */
  stored(): Promise<{ readonly value: string | undefined; readonly version: number }>
}

async function receiver(kind: Kind, options: Parameters<typeof createWorld>[0] = {}): Promise<Receiver> {
  const world = await createWorld({ ticket: false, behaviour: { resendDelayMs: 24 * HOUR }, ...options })
  const receiving = world.node()
  const url = kind === 'node' ? world.eventUrl : await endpoint(kind, receiving.tokens)
  return {
    ...world,
    receiving,
    async send(request) {
      const posted = await post(url, request)
      record('reply to an event', posted)
      return posted
    },
    ticketEvent: (form) =>
      world.simulator.buildEvent(world.appId, { type: 'app_ticket', app_ticket: secret(world.simulator.issueTicket(world.appId)) }, form),
    async stored() {
      const { value, version } = await recordOf(world, receiving, 'app-ticket')
      return { value, version }
    },
  }
}

const NOTHING = { value: undefined, version: 0 }

function withoutHeader({ headers, body }: CallbackRequest, name: string): CallbackRequest {
  return { headers: Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name)), body }
}

function withHeader({ headers, body }: CallbackRequest, name: string, value: string): CallbackRequest {
  return { headers: { ...headers, [name]: value }, body }
}

/** Encrypted and signed by the rules, around any text. */
function sealed(plain: string, key: string, wrap = (cipher: string): string => JSON.stringify({ encrypt: cipher })): CallbackRequest {
  const body = wrap(encrypt(plain, key))
  return { headers: { 'Content-Type': 'application/json', ...sign(body, key) }, body }
}

function envelope(world: World, change: object = {}, event: object = {}): Record<string, unknown> {
  const ticket = secret(world.simulator.issueTicket(world.appId))
  return {
    ts: (world.clock.wall() / 1_000).toFixed(6),
    uuid: 'an-event',
    token: world.verificationToken,
    type: 'event_callback',
    event: { app_id: world.appId, type: 'app_ticket', app_ticket: ticket, ...event },
    ...change,
  }
}

type Forge = (world: Receiver) => CallbackRequest

/** The only one that is readable: the store's clock has to judge it. */
const FAR_AHEAD = 'a time far ahead'

const UNBELIEVED: ReadonlyArray<readonly [what: string, status: number, forge: Forge]> = [
  ['a wrong signature', 401, (world) => withHeader(world.ticketEvent(), 'X-Lark-Signature', 'ab'.repeat(32))],
  ['no signature', 401, (world) => withoutHeader(world.ticketEvent(), 'X-Lark-Signature')],
  ['a signature without its nonce', 401, (world) => withoutHeader(world.ticketEvent(), 'X-Lark-Request-Nonce')],
  ['a signature of another time', 401, (world) => withHeader(world.ticketEvent(), 'X-Lark-Request-Timestamp', '1760000000')],
  ['a body altered after it was signed', 401, (world) => ({ ...world.ticketEvent(), body: `${world.ticketEvent().body} ` })],
  ['the signature of another event', 401, (world) => ({ headers: world.ticketEvent().headers, body: world.ticketEvent().body })],
  ['another encrypt key', 401, (world) => world.ticketEvent({ encryptKey: 'another-encrypt-key' })],
  ['no encryption', 401, (world) => world.ticketEvent({ encrypted: false })],
  ['neither encryption nor signature', 401, (world) => world.ticketEvent({ encrypted: false, signed: false })],
  ['encryption but no signature', 401, (world) => world.ticketEvent({ signed: false })],
  ['a wrong verification token', 401, (world) => world.ticketEvent({ token: 'another-verification-token' })],
  ['an empty verification token', 401, (world) => world.ticketEvent({ token: '' })],
  ['no verification token', 401, (world) => sealed(JSON.stringify(envelope(world, { token: undefined })), world.encryptKey)],
  ['a wrong verification token in the second format', 401, (world) => world.ticketEvent({ schema: 'v2', token: 'another-token' })],
  ["another app's id", 403, (world) => world.ticketEvent({ appId: 'cli_another' })],
  ["another app's id in the second format", 403, (world) => world.ticketEvent({ schema: 'v2', appId: 'cli_another' })],
  ['no app id', 403, (world) => sealed(JSON.stringify(envelope(world, {}, { app_id: undefined })), world.encryptKey)],
  ['no uuid', 400, (world) => sealed(JSON.stringify(envelope(world, { uuid: undefined })), world.encryptKey)],
  ['no ticket', 400, (world) => sealed(JSON.stringify(envelope(world, {}, { app_ticket: undefined })), world.encryptKey)],
  ['a time that is no number', 400, (world) => world.ticketEvent({ ts: 'yesterday' })],
  ['a time that is no number in the second format', 400, (world) => world.ticketEvent({ schema: 'v2', ts: 'yesterday' })],
  ['a time that is negative', 400, (world) => world.ticketEvent({ ts: '-1502199207.717' })],
  ['a time in milliseconds', 400, (world) => world.ticketEvent({ ts: String(world.clock.wall()) })],
  ['a time of a JSON number', 400, (world) => sealed(JSON.stringify(envelope(world, { ts: 1502199207.717 })), world.encryptKey)],
  ['no time', 400, (world) => sealed(JSON.stringify(envelope(world, { ts: undefined })), world.encryptKey)],
  [FAR_AHEAD, 400, (world) => world.ticketEvent({ ts: String(Math.floor((world.clock.wall() + HOUR) / 1_000)) })],
  ['signed content that is no JSON', 400, (world) => sealed('not JSON', world.encryptKey)],
  ['signed content that is a list', 400, (world) => sealed('[{"event":{}}]', world.encryptKey)],
  ['ciphertext cut off, signed', 400, (world) => sealed('', world.encryptKey, () => JSON.stringify({ encrypt: cut(world) }))],
  ['ciphertext cut off, unsigned', 401, (world) => ({ headers: {}, body: JSON.stringify({ encrypt: cut(world) }) })],
  ['ciphertext shorter than its vector', 400, (world) => sealed('', world.encryptKey, () => '{"encrypt":"AAAA"}')],
  ['empty ciphertext', 400, (world) => sealed('', world.encryptKey, () => '{"encrypt":""}')],
  ['an empty body', 400, (world) => ({ ...world.ticketEvent(), body: '' })],
  ['a body that is no JSON', 400, (world) => ({ ...world.ticketEvent(), body: 'encrypt=AAAA' })],
  ['a body of 10 MB', 413, (world) => ({ ...world.ticketEvent(), body: JSON.stringify({ encrypt: 'A'.repeat(10 * 1024 * 1024) }) })],
]

function cut(world: World): string {
  const { encrypt: cipher } = JSON.parse(world.simulator.buildEvent(world.appId, { type: 'app_ticket', app_ticket: 'x' }).body) as {
    encrypt: string
  }
  return Buffer.from(Buffer.from(cipher, 'base64').subarray(0, -5)).toString('base64')
}

describe.each(KINDS)('behind the %s handler', (kind) => {
  test.each(UNBELIEVED)('an event with %s is answered %i, and nothing of it is stored', async (what, status, forge) => {
    const world = await receiver(kind)
    const posted = await world.send(forge(world))
    expect(posted.status).toBe(status)
    expect(posted.text).not.toBe('')
    expect(await world.stored()).toEqual(NOTHING)
    const told = world.receiving.events.map(({ type }) => type)
    expect(told).not.toContain('ticket-accepted')
    // What is too long never gets past the handler.
    if (status !== 413) expect(told).toEqual([what === FAR_AHEAD ? 'ticket-refused' : 'event-refused'])
    expect(await errorOf(world.receiving.tokens.app.get({ timeoutMs: 0 }))).toMatchObject({ name: 'TokenError' })
    expect(ticketsSent(world)).toEqual([])
  })

  test('an honest event after all of these is taken in', async () => {
    const world = await receiver(kind)
    for (const [what, status, forge] of UNBELIEVED) expect([what, (await world.send(forge(world))).status]).toEqual([what, status])
    expect(await world.send(world.ticketEvent())).toMatchObject({ status: 200 })
    expect(world.simulator.judge(await world.receiving.tokens.appAccessToken())).toBe('valid')
  })

  test.each([
    ['the first format', {}],
    ['the second format', { schema: 'v2' }],
  ] as const)('a ticket in %s is stored and minted with', async (_, form) => {
    const world = await receiver(kind)
    expect(await world.send(world.ticketEvent(form))).toEqual({ status: 200, text: '{}' })
    const { value } = await world.stored()
    expect(world.simulator.judge(await world.receiving.tokens.appAccessToken())).toBe('valid')
    expect(ticketsSent(world)).toEqual([value])
  })

  test('a replayed event is answered 200 and changes nothing', async () => {
    const world = await receiver(kind)
    const event = world.ticketEvent()
    await world.send(event)
    const before = await world.stored()
    await world.clock.advance(HOUR)
    expect(await world.send(event)).toMatchObject({ status: 200 })
    expect(await world.stored()).toEqual(before)
  })

  test('another event under a uuid that was seen is answered 200 and changes nothing', async () => {
    const world = await receiver(kind)
    await world.send(world.ticketEvent({ uuid: 'same' }))
    const before = await world.stored()
    await world.clock.advance(MINUTE)
    expect(await world.send(world.ticketEvent({ uuid: 'same' }))).toMatchObject({ status: 200 })
    expect(await world.stored()).toEqual(before)
  })

  test('an event that is older than the stored one is answered 200 and changes nothing', async () => {
    const world = await receiver(kind)
    const older = world.ticketEvent()
    await world.send(world.ticketEvent())
    const before = await world.stored()
    expect(await world.send(older)).toMatchObject({ status: 200 })
    expect(await world.stored()).toEqual(before)
  })

  test.each([
    ['encrypted and signed', (world: Receiver, challenge: object) => sealed(JSON.stringify(challenge), world.encryptKey)],
    ['encrypted', (world: Receiver, challenge: object) => ({ ...sealed(JSON.stringify(challenge), world.encryptKey), headers: {} })],
  ] as const)('a challenge that came %s is echoed', async (_, write) => {
    const world = await receiver(kind)
    const challenge = { challenge: 'ajls384kdjx98XX', token: world.verificationToken, type: 'url_verification' }
    const { status, text } = await world.send(write(world, challenge))
    expect([status, JSON.parse(text)]).toEqual([200, { challenge: 'ajls384kdjx98XX' }])
  })

  test('a plain challenge is echoed where no encrypt key is set, and refused where one is', async () => {
    const world = await receiver(kind)
    const plain = { verificationToken: world.verificationToken }
    const url = await endpoint(kind, world.node({ tokens: { events: plain } }).tokens)
    const body = JSON.stringify({ challenge: 'plain', token: world.verificationToken, type: 'url_verification' })
    expect(await post(url, { body })).toEqual({ status: 200, text: '{"challenge":"plain"}' })
    expect(await world.send({ headers: {}, body })).toMatchObject({ status: 401 })
    expect(await post(url, world.ticketEvent({ encrypted: false, signed: false }))).toMatchObject({ status: 200 })
    expect(await post(url, world.ticketEvent())).toMatchObject({ status: 400 })
  })

  test('a challenge with a wrong verification token is not echoed', async () => {
    const world = await receiver(kind)
    const challenge = { challenge: 'ajls384kdjx98XX', token: 'another-verification-token', type: 'url_verification' }
    const { status, text } = await world.send(sealed(JSON.stringify(challenge), world.encryptKey))
    expect(status).toBe(401)
    expect(text).not.toContain('ajls384kdjx98XX')
  })

  test('the platform is satisfied with what its own challenge and push are answered', async () => {
    const world = await receiver(kind)
    world.simulator.setEventUrl(world.appId, await endpoint(kind, world.receiving.tokens))
    expect(await world.simulator.pushChallenge(world.appId)).toMatchObject({ acknowledged: true })
    expect(await world.simulator.pushTicket(world.appId)).toMatchObject({ acknowledged: true })
    expect(await world.simulator.pushTicket(world.appId, { schema: 'v2' })).toMatchObject({ acknowledged: true })
  })

  test('a signed body with odd whitespace and order of keys is taken as it stands', async () => {
    const world = await receiver(kind)
    const { event, ts, uuid, token, type } = envelope(world)
    const plain = JSON.stringify({ type, event, uuid, note: 'ünïcödé — 票', token, ts }, null, '\t')
    const odd = sealed(
      plain,
      world.encryptKey,
      (cipher) => `\r\n{ "z" : 1.0e2,\t"encrypt":\n"${cipher.replaceAll('/', '\\/')}" , "a": "\\u00e9" }\n`,
    )
    expect(await world.send(odd)).toMatchObject({ status: 200 })
    expect(world.simulator.judge(await world.receiving.tokens.appAccessToken())).toBe('valid')
  })

  test('events are taken by the old and the new secrets while they are being changed', async () => {
    const world = await receiver(kind)
    const newToken = randomSecret('new verification token')
    const newKey = randomSecret('new encrypt key')
    const events = { verificationToken: [newToken, world.verificationToken], encryptKey: [newKey, world.encryptKey] }
    const url = await endpoint(kind, world.node({ tokens: { events } }).tokens)
    const forms = [{}, { token: newToken }, { encryptKey: newKey }, { token: newToken, encryptKey: newKey }]
    for (const form of forms) {
      await world.clock.advance(1_000)
      const before = await world.stored()
      expect(await post(url, world.ticketEvent(form))).toMatchObject({ status: 200 })
      expect((await world.stored()).version).toBeGreaterThan(before.version)
    }
    expect(await post(url, world.ticketEvent({ token: 'a third verification token' }))).toMatchObject({ status: 401 })
    expect(await post(url, world.ticketEvent({ encryptKey: 'a third encrypt key' }))).toMatchObject({ status: 401 })
  })

  test('other events go to onEvent, decrypted, and the platform is told whether that worked', async () => {
    const world = await receiver(kind)
    const seen: unknown[] = []
    const errors: unknown[] = []
    let fails = false
    const url = await endpoint(kind, world.receiving.tokens, {
      onEvent: async (event) => {
        if (fails) throw new Error('the queue is full')
        seen.push(event)
      },
      onError: (error) => errors.push(error),
    })
    const opened = world.simulator.buildEvent(world.appId, { type: 'app_open', tenant_key: 'a-tenant' })
    expect(await post(url, opened)).toMatchObject({ status: 200 })
    expect(seen).toMatchObject([{ type: 'event_callback', event: { app_id: world.appId, type: 'app_open', tenant_key: 'a-tenant' } }])
    fails = true
    expect(await post(url, opened)).toMatchObject({ status: 500 })
    expect(errors).toMatchObject([{ message: 'the queue is full' }])
    expect(await post(url, world.ticketEvent())).toMatchObject({ status: 200 })
    expect(await world.stored()).not.toEqual(NOTHING)
  })

  test('requests that are not POSTs are answered 405', async () => {
    const world = await receiver(kind)
    const handle = createWebEventHandler(world.receiving.tokens)
    expect((await handle(new Request('http://localhost/events'))).status).toBe(405)
    expect((await fetch(world.eventUrl, { headers: { connection: 'close' } })).status).toBe(405)
  })

  test('a node that was closed answers 500, so that another is asked', async () => {
    const world = await receiver(kind)
    await world.receiving.tokens.close()
    expect(await world.send(world.ticketEvent())).toMatchObject({ status: 500 })
    expect(await world.stored()).toEqual(NOTHING)
  })
})

describe('receiveEvent', () => {
  test.each(['v1', 'v2'] as const)('hands other events of format %s back decrypted, not handled', async (schema) => {
    const world = await receiver('node')
    const request = world.simulator.buildEvent(world.appId, { type: 'im.message', text: 'hello' }, { schema })
    const reply = await world.receiving.tokens.receiveEvent(request)
    expect(reply).toMatchObject({ status: 200, body: '{}', handled: false })
    expect(reply.event).toMatchObject(
      schema === 'v1'
        ? { event: { app_id: world.appId, type: 'im.message', text: 'hello' } }
        : { schema: '2.0', header: { event_type: 'im.message', app_id: world.appId }, event: { text: 'hello' } },
    )
    expect(await world.stored()).toEqual(NOTHING)
  })

  test('has handled tickets, challenges and what it refuses', async () => {
    const world = await receiver('node')
    const { tokens } = world.receiving
    const challenge = sealed(JSON.stringify({ challenge: 'c', token: world.verificationToken, type: 'url_verification' }), world.encryptKey)
    for (const request of [world.ticketEvent(), challenge, world.ticketEvent({ token: 'wrong' })]) {
      const reply = await tokens.receiveEvent(request)
      expect([reply.handled, 'event' in reply]).toEqual([true, false])
    }
  })

  test.each([
    ['bytes', (body: string) => new Uint8Array(Buffer.from(body))],
    ['a Buffer', (body: string) => Buffer.from(body)],
    ['a string', (body: string) => body],
  ])('takes the body as %s', async (_, write) => {
    const world = await receiver('node')
    const { headers, body } = world.ticketEvent()
    expect(await world.receiving.tokens.receiveEvent({ headers: new Headers(headers), body: write(body) })).toMatchObject({ status: 200 })
    expect(await world.stored()).not.toEqual(NOTHING)
  })

  test('rejects with a TypeError where no secrets to check events with are set', async () => {
    const world = await receiver('node')
    const { tokens } = world.node({ tokens: { events: undefined } as never })
    const error = await errorOf(tokens.receiveEvent(world.ticketEvent()))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain('events')
    expect((error as Error).message).toContain('verificationToken')
    expect(await world.stored()).toEqual(NOTHING)
  })

  test.each([
    ['an object', (body: string) => JSON.parse(body) as unknown],
    ['nothing', () => undefined],
    ['null', () => null],
  ])('rejects a body that is %s, and says how to keep it raw', async (_, write) => {
    const world = await receiver('node')
    const { headers, body } = world.ticketEvent()
    const error = await errorOf(world.receiving.tokens.receiveEvent({ headers, body: write(body) as never }))
    expect(error).toBeInstanceOf(TypeError)
    for (const advice of ['raw body', 'express.raw(', 'addContentTypeParser', 'request.text()', 'bodyParser: false']) {
      expect((error as Error).message).toContain(advice)
    }
    expect(await world.stored()).toEqual(NOTHING)
  })
})
